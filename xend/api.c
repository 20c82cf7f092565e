/*
 * The table of methods and how they are called. Contract: api.h.
 */
#include "xend/api.h"

#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"
#include "xend/lib/xmlrpc.h"
#include "xend/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct api_row rows[] = {
    {"xend.domain", api_domain_info, 1, 2, API_SXP | API_DOMAIN,
     "(dom, full=0) -> the domain's S-expression"},
    {"xend.domains", api_domains, 0, 2, API_SXP, "(detail=1, full=0) -> all running domains"},
    {"xend.domains_with_state", api_domains_with_state, 1, 3, API_SXP,
     "(detail, state, full=0) -> domains that are all, running, paused, crashed, shutdown, halted"},
    {"xend.domain.create", api_domain_create, 1, 1, API_SXP,
     "(config) -> build a domain; it is left paused"},
    {"xend.domain.check", api_domain_check, 1, 1, 0,
     "(config) -> check what create would check, and touch nothing"},
    {"xend.domain.new", api_domain_new, 1, 1, 0, "(config) -> store a domain"},
    {"xend.domain.start", api_domain_start, 1, 2, API_DOMAIN,
     "(dom, paused=0) -> start a stored domain"},
    {"xend.domain.delete", api_domain_delete, 1, 1, API_DOMAIN, "(dom) -> forget a stored domain"},
    {"xend.domain.destroy", api_domain_destroy, 1, 1, API_DOMAIN, "(dom) -> end it at once"},
    {"xend.domain.shutdown", api_domain_shutdown, 1, 2, API_DOMAIN,
     "(dom, reason='poweroff') -> ask it for poweroff, reboot or halt"},
    {"xend.domain.pause", api_domain_pause, 1, 1, API_DOMAIN, "(dom)"},
    {"xend.domain.unpause", api_domain_unpause, 1, 1, API_DOMAIN, "(dom)"},
    {"xend.domain.setName", api_domain_rename, 2, 2, API_DOMAIN, "(dom, name)"},
    {"xend.domain.send_sysrq", api_domain_sysrq, 2, 3, API_DOMAIN, "(dom, key)"},
    {"xend.domain.dump", api_domain_dump, 1, 5, API_DOMAIN,
     "(dom, file='', live=0, crash=0, reset=0) -> name of the core dump"},
    {"xend.domain.setMemoryTarget", api_domain_mem_set, 2, 2, API_CHANGE, "(dom, MiB)"},
    {"xend.domain.maxmem_set", api_domain_mem_max, 2, 2, API_CHANGE, "(dom, MiB)"},
    {"xend.domain.getVCPUInfo", api_domain_vcpus, 1, 1, API_SXP | API_DOMAIN,
     "(dom) -> its virtual CPUs"},
    {"xend.domain.setVCpuCount", api_domain_vcpu_set, 2, 2, API_CHANGE, "(dom, count)"},
    {"xend.domain.pincpu", api_domain_pin, 3, 3, API_CHANGE, "(dom, vcpu or 'all', '0-3,^2')"},
    {"xend.domain.sched_credit_get", api_domain_credit_get, 1, 1, API_DOMAIN,
     "(dom) -> weight and cap"},
    {"xend.domain.sched_credit_set", api_domain_credit_set, 1, 3, API_CHANGE,
     "(dom, weight=0, cap=-1): 0 and -1 leave it as it is"},
    {"xend.domain.getRestartCount", api_domain_restarts, 1, 1, API_DOMAIN,
     "(dom) -> restarts by itself"},
    {"xend.domain.device_create", api_device_create, 2, 2, API_DOMAIN,
     "(dom, ['vbd' or 'vif', ...]) -> the device's number"},
    {"xend.domain.destroyDevice", api_device_destroy, 3, 5, API_DOMAIN,
     "(dom, class, device, force=0) -> take it away"},
    {"xend.domain.getDeviceSxprs", api_device_list, 2, 2, API_SXP | API_DOMAIN,
     "(dom, 'vbd' or 'vif') -> [[number, [[key, value], ...]], ...]"},
    {"xend.domain.getBlockDeviceClass", api_device_class, 2, 2, API_DOMAIN,
     "(dom, device) -> 'vbd'"},
    {"xend.domain.waitForDevices", api_device_wait, 1, 1, API_DOMAIN,
     "(dom) -> wait for its backends"},
    {"xend.domain.console", api_domain_console, 1, 1, API_DOMAIN,
     "(dom) -> path of the terminal of its console"},
    {"xend.domain.save", api_not_offered, 0, 9, API_NO_SESSION, "not offered"},
    {"xend.domain.restore", api_not_offered, 0, 9, API_NO_SESSION, "not offered"},
    {"xend.domain.suspend", api_not_offered, 0, 9, API_NO_SESSION, "not offered"},
    {"xend.domain.resume", api_not_offered, 0, 9, API_NO_SESSION, "not offered"},
    {"xend.domain.migrate", api_not_offered, 0, 9, API_NO_SESSION, "not offered"},
    {"xend.vcpu.info", api_domain_vcpus, 1, 1, API_SXP | API_DOMAIN,
     "the same as xend.domain.getVCPUInfo"},
    {"xend.vcpu.set", api_domain_vcpu_set, 2, 2, API_CHANGE,
     "the same as xend.domain.setVCpuCount"},
    {"xend.vcpu.pin", api_domain_pin, 3, 3, API_CHANGE, "the same as xend.domain.pincpu"},
    {"xend.device.create", api_device_create, 2, 2, API_DOMAIN,
     "the same as xend.domain.device_create"},
    {"xend.device.destroy", api_device_destroy, 3, 5, API_DOMAIN,
     "the same as xend.domain.destroyDevice"},
    {"xend.device.list", api_device_list, 2, 2, API_SXP | API_DOMAIN,
     "the same as xend.domain.getDeviceSxprs"},
    {"xend.node.info", api_node_info, 0, 0, API_SXP, "() -> [[key, value], ...]"},
    {"xend.node.dmesg.info", api_node_dmesg, 0, 0, 0, "() -> the hypervisor's console"},
    {"xend.node.dmesg.clear", api_node_dmesg_clear, 0, 0, 0, "() -> the same, and forget it"},
    {"xend.node.log", api_node_log, 0, 0, API_NO_SESSION, "() -> xend's log"},
    {"xend.node.send_debug_keys", api_node_keys, 1, 1, 0, "(keys) for the hypervisor"},
    {"xend.network.plan", api_network_plan, 0, 2, API_NO_SESSION,
     "(action='start', script='') -> what start or stop of the host's network would do"},
    {"xend.network.start", api_network_start, 0, 1, API_NO_SESSION,
     "(script='') -> a sentence; e.g. 'network-bridge netdev=eth0'"},
    {"xend.network.stop", api_network_stop, 0, 1, API_NO_SESSION, "(script='') -> a sentence"},
    {"xend.network.status", api_network_status, 0, 1, API_NO_SESSION, "(script='') -> a sentence"},
    {"system.listMethods", api_list_methods, 0, 0, API_NO_SESSION, "() -> these names"},
    {"system.methodHelp", api_method_help, 1, 1, API_NO_SESSION, "(method) -> its help"},
    {NULL, NULL, 0, 0, 0, NULL},
};

const struct api_row *api_rows(void)
{
    return rows;
}

static const struct api_row *find(const char *name)
{
    for (const struct api_row *row = rows; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static int check(const char *method, const struct api_row *row, const struct value *args,
                 int *fault, struct error *err)
{
    if (row == NULL) {
        *fault = FAULT_METHOD;
        return fail(err, ENOSYS, "There is no method %s: system.listMethods names them all.",
                    method);
    }
    if (args->count < row->least || args->count > row->most) {
        *fault = FAULT_PARAMS;
        return fail(err, EINVAL, "%s takes %u to %u arguments and got %zu: %s", row->name,
                    row->least, row->most, args->count, row->help);
    }
    return 0;
}

/* The domain that the first argument names. */
static int find_domain(struct call *c)
{
    char buffer[24];
    const char *which = arg_text(c, 0, buffer);

    if (which[0] == '\0') {
        return fail(&c->err, EINVAL, "A domain must be given by its name, number or UUID.");
    }
    return domain_get(c->s, which, &c->d, &c->err);
}

static int run(const struct api_row *row, struct call *c)
{
    auto_domain d = NULL;
    int rc = row->flags & (API_DOMAIN | API_CHANGE) ? find_domain(c) : 0;

    d = c->d;
    if (rc == 0 && (row->flags & API_CHANGE)) {
        rc = domain_begin(d, "being changed", &c->err);
        if (rc == 0) {
            rc = row->method(c);
            domain_end(d);
        }
        return rc;
    }
    return rc ? rc : row->method(c);
}

int api_call(const char *method, const struct value *args, bool objects, struct value **result,
             int *fault, struct error *err)
{
    const struct api_row *row = find(method);
    struct call c = {.args = args};
    int rc = check(method, row, args, fault, err);

    if (rc == 0 && !(row->flags & API_NO_SESSION)) {
        rc = session_get(&c.s, err);
        *fault = FAULT_ERROR;
    }
    if (rc != 0) {
        return rc;
    }
    rc = run(row, &c);
    session_put(c.s);
    if (rc != 0) {
        value_free(c.result);
        *err = c.err;
        *fault = rc == -ESRCH ? FAULT_NO_DOMAIN : FAULT_ERROR;
        return rc;
    }
    if (c.result == NULL) {
        c.result = value_int(0);
    }
    if (objects && (row->flags & API_SXP)) {
        *result = sxp_to_object(c.result);
        value_free(c.result);
    } else {
        *result = c.result;
    }
    return 0;
}

const char *arg_text(struct call *c, unsigned i, char buffer[24])
{
    const struct value *v = i < c->args->count ? c->args->items[i] : NULL;

    if (v != NULL && (v->type == VALUE_INT || v->type == VALUE_BOOL)) {
        int64_t number = 0;

        value_to_int(v, &number);
        snprintf(buffer, 24, "%lld", (long long)number);
        return buffer;
    }
    return value_text(v, "");
}

int arg_int(struct call *c, unsigned i, const char *name, int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (i >= c->args->count || c->args->items[i]->type == VALUE_NIL) {
        return 0;
    }
    if (value_to_int(c->args->items[i], out) != 0) {
        return fail(&c->err, EINVAL, "%s must be a whole number.", name);
    }
    return 0;
}

bool arg_bool(struct call *c, unsigned i)
{
    const struct value *v = i < c->args->count ? c->args->items[i] : NULL;
    int64_t number = 0;

    if (v != NULL && v->type == VALUE_STRING) { /* classic clients send '--force', None as '' */
        return v->string[0] != '\0' && strcmp(v->string, "0") != 0 &&
               strcmp(v->string, "False") != 0;
    }
    return v != NULL && value_to_int(v, &number) == 0 && number != 0;
}
