/*
 * Words of network-bridge. Contract: bridge_options.h.
 */
#include "network/bridge_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *option_value(const char *word, const char *name)
{
    size_t size = strlen(name);

    return strncmp(word, name, size) == 0 && word[size] == '=' ? word + size + 1 : NULL;
}

int bridge_option(struct bridge_options *options, const char *word, struct error *err)
{
    const char *value;
    char *end;

    if ((value = option_value(word, "netdev")) != NULL) {
        options->netdev = value;
    } else if ((value = option_value(word, "bridge")) != NULL) {
        options->bridge = value;
    } else if ((value = option_value(word, "probe")) != NULL) {
        options->probe = value;
    } else if ((value = option_value(word, "force")) != NULL) {
        options->force = strcmp(value, "yes") == 0;
    } else if ((value = option_value(word, "vifnum")) != NULL) {
        options->vifnum = (int)strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || *end != '\0' || options->vifnum > 99) {
            return fail(err, EINVAL, "%s: a number from 0 to 99 is wanted.", word);
        }
        return 0;
    }
    return value != NULL && value[0] != '\0'
               ? 0
               : fail(err, EINVAL,
                      "%s is not understood: netdev=, bridge=, vifnum=, probe=, force=yes are.",
                      word);
}
