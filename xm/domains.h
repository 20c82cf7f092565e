/*
 * What several commands ask about domains. In cmd_list.c.
 */
#ifndef XM_DOMAINS_H
#define XM_DOMAINS_H

#include "xend/lib/value.h"

#include <stdbool.h>

/* The named domains, or those in a state if none is named: a list of S-expressions. An exit. */
int get_domains(char **names, int count, const char *state, bool full, struct value **out);
/* A number of an S-expression that may be whole or not; 0 if it is not there. */
double sxp_real(const struct value *sxp, const char *key);
/* Print a list of S-expressions as JSON objects. */
int print_objects(const struct value *list);

#endif
