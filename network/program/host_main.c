/* The programs network-nat and network-route. See network_host.c. */
#include "network/program/network_host.h"

int main(int argc, char **argv)
{
    return network_host_main(argc, argv);
}
