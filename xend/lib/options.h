/*
 * The options of a domain's configuration file: one row each, and what a file means.
 *
 * cfg_parse.h gives a dictionary of whatever a file assigns; this turns it into a checked
 * struct domain_config. An unknown option is a warning with the nearest known name; an option that
 * is known and can't be honoured is refused, or warned of where leaving it out does no harm.
 */
#ifndef XEND_LIB_OPTIONS_H
#define XEND_LIB_OPTIONS_H

#include "xend/lib/domcfg.h"
#include "xend/lib/error.h"
#include "xend/lib/value.h"

/*
 * Read the options of `config`. `file` is for messages. Each warning is appended to `warnings` as a
 * string. cfg is initialised by this; on success the caller ends with domcfg_finish().
 * Returns 0 or -EINVAL with "file:line:column: sentence".
 */
int options_read(const char *file, const struct value *config, struct domain_config *cfg,
                 struct value *warnings, struct error *err);

/* All option names that do something, for completion; ends with NULL. */
const char *const *options_names(void);

/* The candidate that a misspelt word most probably means, or NULL if none is near. */
const char *nearest_name(const char *word, const char *const *candidates);

#endif
