/*
 * The methods of the API: one row each, the same for XML-RPC and JSON-RPC.
 *
 * Names, arguments and answers are those of classic xend (xend.domain.*, xend.domains*,
 * xend.node.*), so that its clients work; rows without a classic model say so. A method runs in the
 * thread of its connection and may take long; the event loop never waits for one.
 */
#ifndef XEND_API_H
#define XEND_API_H

#include "xend/domain.h"
#include "xend/lib/error.h"
#include "xend/lib/value.h"

#include <stdbool.h>

struct call {
    const struct value *args; /* a list; its length was checked */
    struct session *s;
    struct domain *d;     /* the first argument, where the row says API_DOMAIN or API_CHANGE */
    struct value *result; /* what the method answers; NULL: nothing */
    struct error err;
};

typedef int api_method(struct call *c);

enum {
    API_SXP = 1,        /* answers S-expressions: JSON clients get objects instead */
    API_NO_SESSION = 2, /* needs neither hypervisor nor store */
    API_DOMAIN = 4,     /* the first argument names a domain by number, name or UUID: -ESRCH */
    API_CHANGE = 8,     /* the same, and nothing else changes it meanwhile: -EBUSY */
};

struct api_row {
    const char *name;
    api_method *method;
    unsigned least, most; /* number of arguments */
    unsigned flags;
    const char *help; /* arguments -> answer, and what it does */
};

/* All rows; ends with a NULL name. */
const struct api_row *api_rows(void);

/*
 * Run a method. Returns 0 with *result, or -errno with the sentence; *fault gets a code of enum
 * xmlrpc_fault. The caller frees *result.
 */
int api_call(const char *method, const struct value *args, bool objects, struct value **result,
             int *fault, struct error *err);

/* For the methods: argument i as text ("" if it is not there) or as a number. */
const char *arg_text(struct call *c, unsigned i, char buffer[24]);
/* 0, or -EINVAL with the sentence; an argument that is not there is `fallback`. */
int arg_int(struct call *c, unsigned i, const char *name, int64_t fallback, int64_t *out);
bool arg_bool(struct call *c, unsigned i);

api_method api_domain_create, api_domain_check, api_domain_new, api_domain_start, api_domain_delete,
    api_domain_destroy, api_domain_shutdown, api_domain_pause, api_domain_unpause,
    api_domain_rename, api_domain_sysrq, api_domain_dump;
api_method api_domain_mem_set, api_domain_mem_max, api_domain_vcpus, api_domain_vcpu_set,
    api_domain_pin, api_domain_credit_get, api_domain_credit_set, api_domain_restarts;
api_method api_device_create, api_device_destroy, api_device_list, api_device_class,
    api_device_wait;
api_method api_domain_info, api_domains, api_domains_with_state, api_domain_console;
api_method api_network_plan, api_network_start, api_network_stop, api_network_status;
api_method api_node_info, api_node_dmesg, api_node_dmesg_clear, api_node_log, api_node_keys,
    api_list_methods, api_method_help, api_not_offered;

#endif
