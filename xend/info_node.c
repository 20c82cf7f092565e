/*
 * Answers about the machine: xend.node.info. Contract: info.h.
 */
#include "xend/info.h"

#include "xend/admission.h"
#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Here the pairs are the list itself, without a name in front. */
static void text(struct value *list, const char *key, const char *value)
{
    sxp_add_string(list, key, value);
}

static void number(struct value *list, const char *key, int64_t value)
{
    sxp_add_int(list, key, value);
}

static void add_uname(struct value *list)
{
    struct utsname u;

    memset(&u, 0, sizeof(u));
    uname(&u);
    text(list, "system", u.sysname);
    text(list, "host", u.nodename);
    text(list, "release", u.release);
    text(list, "version", u.version);
    text(list, "machine", u.machine);
}

static void add_host(struct session *s, const struct xc_host_info *host, struct value *list)
{
    uint64_t admissible = 0;
    char *caps = xprintf("%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x", host->hw_cap[0],
                         host->hw_cap[1], host->hw_cap[2], host->hw_cap[3], host->hw_cap[4],
                         host->hw_cap[5], host->hw_cap[6], host->hw_cap[7]);

    number(list, "nr_cpus", host->nr_cpus);
    number(list, "nr_nodes", host->nr_nodes);
    number(list, "cores_per_socket", host->cores_per_socket);
    number(list, "threads_per_core", host->threads_per_core);
    number(list, "cpu_mhz", host->cpu_khz / 1000);
    sxp_add(list, "hw_caps", value_take(caps));
    text(list, "virt_caps", host->capabilities & 1 ? "hvm" : "");
    number(list, "total_memory", (int64_t)(host->total_pages / 256));
    number(list, "free_memory", (int64_t)((host->free_pages + host->scrub_pages) / 256));
    if (admission_free_kib(s, &admissible, NULL) == 0) {
        number(list, "available_memory", (int64_t)(admissible / 1024));
    }
}

static void add_version(const struct xc_version *version, struct value *list)
{
    char *params = xprintf("virt_start=0x%llx", (unsigned long long)version->virt_start);

    number(list, "xen_major", version->major);
    number(list, "xen_minor", version->minor);
    text(list, "xen_extra", version->extra);
    text(list, "xen_caps", version->capabilities);
    number(list, "xen_pagesize", version->page_size);
    sxp_add(list, "platform_params", value_take(params));
    text(list, "xen_changeset", version->changeset);
    text(list, "xen_commandline", version->command_line);
    text(list, "cc_compiler", version->compiler);
    text(list, "cc_compile_by", version->compile_by);
    text(list, "cc_compile_domain", version->compile_domain);
    text(list, "cc_compile_date", version->compile_date);
}

int info_node(struct session *s, struct value **out, struct error *err)
{
    struct xc_version *version = xalloc(sizeof(*version));
    struct xc_host_info host;
    enum xc_scheduler scheduler;
    struct value *list;
    int rc = xc_host_get_info(s->xc, &host);

    rc = rc ? rc : xc_host_version(s->xc, version);
    rc = rc ? rc : xc_sched_get_id(s->xc, &scheduler);
    if (rc != 0) {
        free(version);
        return fail(err, -rc, "The hypervisor does not tell about the machine: %s",
                    xc_error(s->xc));
    }
    list = value_list();
    add_uname(list);
    add_host(s, &host, list);
    text(list, "xen_scheduler", xc_scheduler_name(scheduler));
    add_version(version, list);
    number(list, "xend_config_format", 4);
    number(list, "xend_pid", getpid());
    free(version);
    *out = list;
    return 0;
}
