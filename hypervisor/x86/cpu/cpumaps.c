/* Which CPUs there are, and which run. */
#include <hospes/cpumask.h>

cpumask_t cpu_possible_map, cpu_online_map;
