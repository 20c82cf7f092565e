/*
 * Methods about the host's network. Rows: api.c.
 */
#include "network/host.h"
#include "xend/api.h"

#include <errno.h>
#include <string.h>

int api_network_plan(struct call *c)
{
    char first[24], second[24];
    const char *action = arg_text(c, 0, first), *script = arg_text(c, 1, second);

    if (strcmp(action, "") != 0 && strcmp(action, "start") != 0 && strcmp(action, "stop") != 0) {
        return fail(&c->err, EINVAL, "There are plans for start and stop, none for %s.", action);
    }
    return host_plan(script, strcmp(action, "stop") != 0, &c->result, &c->err);
}

static int run(struct call *c, const char *verb)
{
    char said[PROCESS_SAID], buffer[24];
    int rc = host_run(arg_text(c, 0, buffer), verb, said, &c->err);

    if (rc == 0) {
        c->result = value_string(said);
    }
    return rc;
}

int api_network_start(struct call *c)
{
    return run(c, "start");
}

int api_network_stop(struct call *c)
{
    return run(c, "stop");
}

int api_network_status(struct call *c)
{
    return run(c, "status");
}
