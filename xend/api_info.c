/*
 * Methods that answer and change nothing, those of devices, and those of the machine. Rows: api.c.
 */
#include "xend/api.h"

#include "xend/attach.h"
#include "xend/info.h"
#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"
#include "xend/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DMESG_MAX (1 << 20)

int api_domain_info(struct call *c)
{
    struct xc_domain_info info;
    bool live = domain_info(c->s, c->d, &info) == 0;

    c->result = info_domain(c->s, c->d, live ? &info : NULL, arg_bool(c, 1));
    return 0;
}

int api_domains(struct call *c)
{
    bool detail = c->args->count < 1 || arg_bool(c, 0);

    return info_domains(c->s, "running", detail, arg_bool(c, 1), &c->result, &c->err);
}

int api_domains_with_state(struct call *c)
{
    char buffer[24];
    const char *state = arg_text(c, 1, buffer);

    return info_domains(c->s, state[0] ? state : "all", arg_bool(c, 0), arg_bool(c, 2), &c->result,
                        &c->err);
}

#define CONSOLE_WAIT_MS 5000

struct console {
    int domid;
    char *tty;
};

/* xenconsoled writes the node a moment after the domain was introduced. */
static int console_is_there(struct xsc *xs, void *arg)
{
    struct console *console = arg;

    if (xsc_readf(xs, XSC_NO_TX, &console->tty, "/local/domain/%d/console/tty", console->domid) ==
            0 &&
        console->tty[0] == '/') {
        return 1;
    }
    free(console->tty);
    console->tty = NULL;
    return 0;
}

int api_domain_console(struct call *c)
{
    struct domain *d = c->d;
    struct console console = {.domid = d->rec.domid};
    auto_str path = xprintf("/local/domain/%d/console/tty", d->rec.domid);

    if (d->rec.domid < 0) {
        return fail(&c->err, ESRCH, "The domain %s is not running: xm start starts it.",
                    domain_name(d));
    }
    if (d->rec.domid == 0) {
        return fail(&c->err, EINVAL, "Domain 0 has no console of its own: you are in it.");
    }
    if (xsc_wait_until(c->s->xs, path, console_is_there, &console, CONSOLE_WAIT_MS) != 1) {
        free(console.tty);
        return fail(&c->err, ENXIO,
                    "The console of %s is not served: is xenconsoled running in Domain 0?",
                    domain_name(d));
    }
    c->result = value_take(console.tty);
    return 0;
}

int api_device_create(struct call *c)
{
    uint32_t id = 0;
    int rc = attach_device(c->s, c->d, c->args->items[1], &id, &c->err);

    if (rc == 0) {
        c->result = value_int(id);
    }
    return rc;
}

int api_device_destroy(struct call *c)
{
    char class[24], which[24];

    return detach_device(c->s, c->d, arg_text(c, 1, class), arg_text(c, 2, which), arg_bool(c, 3),
                         &c->err);
}

/* Devices of a domain that does not run: as configured. */
static struct value *configured(struct domain *d, const char *class)
{
    struct value *list = value_list();

    domains_lock();
    for (size_t i = 0; strcmp(class, "vbd") == 0 && i < d->rec.cfg.nr_disks; i++) {
        struct value *item = value_list();

        list_add(item, value_int(d->rec.cfg.disks[i].vdev));
        list_add(item, disk_to_sxp(&d->rec.cfg.disks[i]));
        list_add(list, item);
    }
    for (size_t i = 0; strcmp(class, "vif") == 0 && i < d->rec.cfg.nr_vifs; i++) {
        struct value *item = value_list();

        list_add(item, value_int((int64_t)i));
        list_add(item, vif_to_sxp(&d->rec.cfg.vifs[i]));
        list_add(list, item);
    }
    domains_unlock();
    return list;
}

int api_device_list(struct call *c)
{
    char buffer[24];
    const char *class = arg_text(c, 1, buffer);

    if (strcmp(class, "vbd") != 0 && strcmp(class, "vif") != 0) {
        return fail(&c->err, EINVAL,
                    "Devices of the class \"%s\" are not offered: vbd and vif are.", class);
    }
    c->result = c->d->rec.domid >= 0 ? device_list(c->s, c->d, class) : configured(c->d, class);
    return 0;
}

int api_device_class(struct call *c)
{
    c->result = value_string("vbd");
    return 0;
}

int api_device_wait(struct call *c)
{
    return attach_wait_all(c->s, c->d, &c->err);
}

int api_node_info(struct call *c)
{
    return info_node(c->s, &c->result, &c->err);
}

static int dmesg(struct call *c, bool clear)
{
    char *text = xalloc(DMESG_MAX + 1);
    ssize_t n = xc_host_read_console(c->s->xc, text, DMESG_MAX, NULL, clear);

    if (n < 0) {
        free(text);
        return fail(&c->err, (int)-n, "The hypervisor's console cannot be read: %s",
                    xc_error(c->s->xc));
    }
    for (ssize_t i = 0; i < n; i++) { /* XML has no control characters */
        unsigned char ch = (unsigned char)text[i];

        if ((ch < ' ' && ch != '\n' && ch != '\t') || ch >= 0x7f) {
            text[i] = ch == '\r' ? ' ' : '?';
        }
    }
    text[n] = '\0';
    c->result = value_string(text);
    free(text);
    return 0;
}

int api_node_dmesg(struct call *c)
{
    return dmesg(c, false);
}

int api_node_dmesg_clear(struct call *c)
{
    return dmesg(c, true);
}

int api_node_log(struct call *c)
{
    c->result = value_take(log_tail(64 * 1024));
    return 0;
}

int api_node_keys(struct call *c)
{
    char buffer[24];
    const char *keys = arg_text(c, 0, buffer);
    int rc;

    if (keys[0] == '\0' || strlen(keys) > 32) {
        return fail(&c->err, EINVAL, "Debug keys are 1 to 32 letters: h shows which there are.");
    }
    rc = xc_host_debug_keys(c->s->xc, keys);
    return rc ? fail(&c->err, -rc, "The hypervisor does not take the keys: %s", xc_error(c->s->xc))
              : 0;
}

int api_list_methods(struct call *c)
{
    c->result = value_list();
    for (const struct api_row *row = api_rows(); row->name != NULL; row++) {
        list_add(c->result, value_string(row->name));
    }
    return 0;
}

int api_method_help(struct call *c)
{
    char buffer[24];
    const char *name = arg_text(c, 0, buffer);

    for (const struct api_row *row = api_rows(); row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            c->result = value_string(row->help);
            return 0;
        }
    }
    return fail(&c->err, EINVAL, "There is no method %s.", name);
}

int api_not_offered(struct call *c)
{
    return fail(&c->err, EOPNOTSUPP,
                "Saving, restoring and migrating domains is not offered: shut the domain down and "
                "start it again.");
}
