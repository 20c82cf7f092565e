/*
 * Sets of physical CPUs. Contract: cpuset.h.
 */
#include "xend/lib/cpuset.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cpuset_has(const struct cpuset *set, unsigned cpu)
{
    return cpu < CPUSET_MAX && (set->bits[cpu / 8] >> (cpu % 8) & 1) != 0;
}

void cpuset_add(struct cpuset *set, unsigned cpu)
{
    set->bits[cpu / 8] |= (uint8_t)(1u << (cpu % 8));
}

static int number(const char **p, unsigned *n)
{
    char *end;
    unsigned long value;

    *p += strspn(*p, " ");
    if (!isdigit((unsigned char)**p)) {
        return -EINVAL;
    }
    value = strtoul(*p, &end, 10);
    if (value >= CPUSET_MAX) {
        return -EINVAL;
    }
    *n = (unsigned)value;
    *p = end + strspn(end, " ");
    return 0;
}

/* "3", "0-3" or "^2" */
static int range(const char **p, struct cpuset *set)
{
    bool remove;
    unsigned first, last;

    *p += strspn(*p, " ");
    remove = **p == '^';
    *p += remove;
    if (number(p, &first) != 0) {
        return -EINVAL;
    }
    last = first;
    if (**p == '-') {
        ++*p;
        if (number(p, &last) != 0 || last < first) {
            return -EINVAL;
        }
    }
    for (unsigned cpu = first; cpu <= last; cpu++) {
        if (remove) {
            set->bits[cpu / 8] &= (uint8_t) ~(1u << (cpu % 8));
        } else {
            cpuset_add(set, cpu);
        }
    }
    return 0;
}

int cpuset_parse(const char *text, struct cpuset *set, struct error *err)
{
    const char *p = text;

    memset(set, 0, sizeof(*set));
    if (strcmp(text, "all") == 0 || text[0] == '\0' || text[0] == '^') {
        memset(set, 0xff, sizeof(*set));
        if (text[0] != '^') {
            return 0;
        }
    }
    for (;;) {
        if (range(&p, set) != 0) {
            break;
        }
        if (*p == '\0') {
            for (size_t i = 0; i < sizeof(set->bits); i++) {
                if (set->bits[i] != 0) {
                    return 0;
                }
            }
            return fail(err, EINVAL, "\"%s\" leaves no CPU to run on.", text);
        }
        if (*p++ != ',') {
            break;
        }
    }
    return fail(err, EINVAL,
                "\"%s\" is no list of CPUs: write numbers below %d and ranges, as in 0-3,^2, or "
                "all.",
                text, CPUSET_MAX);
}

char *cpuset_format(const struct cpuset *set, unsigned nr_cpus)
{
    char *text = NULL;
    size_t size;
    unsigned members = 0, limit = nr_cpus < CPUSET_MAX ? nr_cpus : CPUSET_MAX;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    for (unsigned cpu = 0; cpu < limit;) {
        unsigned last = cpu;

        if (!cpuset_has(set, cpu)) {
            cpu++;
            continue;
        }
        while (last + 1 < limit && cpuset_has(set, last + 1)) {
            last++;
        }
        fprintf(out, last > cpu ? "%s%u-%u" : "%s%u", members ? "," : "", cpu, last);
        members += last - cpu + 1;
        cpu = last + 1;
    }
    fclose(out);
    if (members == 0 || members == limit) {
        free(text);
        return xstrdup(members ? "any cpu" : "no cpus");
    }
    return text;
}
