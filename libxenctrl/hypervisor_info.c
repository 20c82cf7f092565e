/*
 * hypervisor_info.c: the hypervisor itself: version, console ring, debug keys, performance
 * counters.
 *
 * Read private.h first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "libxenctrl/private.h"
#include <xen/version.h>

/* Most of the console ring in one call. */
#define CONSOLE_CHUNK (64u * 1024)

ssize_t xc_host_read_console(struct xc_handle *h, char *buffer, size_t size, uint32_t *index,
                             bool clear)
{
    size_t chunk = size < CONSOLE_CHUNK || index == NULL ? size : CONSOLE_CHUNK;
    XC_SCOPED_BUFFER text = xc_buffer_new(h, chunk);
    struct xen_sysctl *s;
    size_t n;
    int rc;

    if (text.p == NULL) {
        return -ENOMEM;
    }
    s = xc_sysctl_begin(h, XEN_SYSCTL_readconsole);
    s->u.readconsole.clear = clear;
    s->u.readconsole.incremental = index != NULL;
    s->u.readconsole.index = index != NULL ? *index : 0;
    s->u.readconsole.count = chunk < UINT32_MAX ? (uint32_t)chunk : UINT32_MAX;
    set_xen_guest_handle(s->u.readconsole.buffer, (char *)text.p);
    rc = xc_sysctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The hypervisor's console ring can't be read: %s.", xc_reason(rc));
    }
    n = s->u.readconsole.count < chunk ? s->u.readconsole.count : chunk;
    memcpy(buffer, text.p, n);
    if (index != NULL) {
        *index = s->u.readconsole.index;
    }
    return (ssize_t)n;
}

int xc_host_debug_keys(struct xc_handle *h, const char *keys)
{
    size_t n = strlen(keys);
    XC_SCOPED_BUFFER text = xc_buffer_new(h, n);
    struct xen_sysctl *s;
    int rc;

    if (text.p == NULL) {
        return -ENOMEM;
    }
    memcpy(text.p, keys, n);
    s = xc_sysctl_begin(h, XEN_SYSCTL_debug_keys);
    s->u.debug_keys.nr_keys = (uint32_t)n;
    set_xen_guest_handle(s->u.debug_keys.keys, (char *)text.p);
    rc = xc_sysctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The debug keys can't be pressed: %s.", xc_reason(rc));
    }
    return 0;
}

static int perfc_call(struct xc_handle *h, uint32_t cmd, void *desc, void *val, uint32_t *nr,
                      uint32_t *nr_vals)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_perfc_op);
    int rc;

    s->u.perfc_op.cmd = cmd;
    s->u.perfc_op.nr_counters = *nr;
    s->u.perfc_op.nr_vals = *nr_vals;
    set_xen_guest_handle(s->u.perfc_op.desc, (struct xen_sysctl_perfc_desc *)desc);
    set_xen_guest_handle(s->u.perfc_op.val, (uint32_t *)val);
    rc = xc_sysctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The performance counters can't be used: %s.", xc_reason(rc));
    }
    *nr = s->u.perfc_op.nr_counters;
    *nr_vals = s->u.perfc_op.nr_vals;
    return 0;
}

/* One allocation: the counters, then their values. */
static int perfc_pack(struct xc_handle *h, const struct xen_sysctl_perfc_desc *desc, uint32_t n,
                      const uint32_t *values, uint32_t nr_vals, struct xc_perf_counter **counters)
{
    struct xc_perf_counter *list;
    uint32_t *copy, used = 0;

    list = calloc(1, (n + 1) * sizeof(*list) + (size_t)nr_vals * sizeof(uint32_t));
    if (list == NULL) {
        return xc_fail(h, -ENOMEM, "There is no memory for %u counters.", n);
    }
    copy = (uint32_t *)(list + n);
    memcpy(copy, values, (size_t)nr_vals * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t left = nr_vals - used;

        (void)snprintf(list[i].name, sizeof(list[i].name), "%.*s", (int)sizeof(desc[i].name),
                       desc[i].name);
        list[i].count = desc[i].nr_vals < left ? desc[i].nr_vals : left;
        list[i].values = copy + used;
        used += list[i].count;
    }
    *counters = list;
    return (int)n;
}

int xc_host_perfc(struct xc_handle *h, struct xc_perf_counter **counters)
{
    const uint32_t most = 1u << 20;
    uint32_t n = 0, nr_vals = 0;
    int rc = perfc_call(h, XEN_SYSCTL_PERFCOP_query, NULL, NULL, &n, &nr_vals);

    if (rc < 0) {
        return rc;
    }
    if (n > most || nr_vals > most) {
        return xc_fail(h, -E2BIG, "The hypervisor claims to have %u counters.", n);
    }
    XC_SCOPED_BUFFER desc = xc_buffer_new(h, n * sizeof(struct xen_sysctl_perfc_desc));
    XC_SCOPED_BUFFER val = xc_buffer_new(h, nr_vals * sizeof(uint32_t));
    if (desc.p == NULL || val.p == NULL) {
        return -ENOMEM;
    }
    uint32_t got = n, got_vals = nr_vals;

    rc = perfc_call(h, XEN_SYSCTL_PERFCOP_query, desc.p, val.p, &got, &got_vals);
    if (rc < 0) {
        return rc;
    }
    return perfc_pack(h, desc.p, got < n ? got : n, val.p, got_vals < nr_vals ? got_vals : nr_vals,
                      counters);
}

int xc_host_perfc_reset(struct xc_handle *h)
{
    uint32_t n = 0, nr_vals = 0;

    return perfc_call(h, XEN_SYSCTL_PERFCOP_reset, NULL, NULL, &n, &nr_vals);
}

/* One string of XENVER_@cmd, of at most @size bytes in the ABI, to @to; "" if it is denied. */
static void version_text(struct xc_handle *h, unsigned int cmd, char *to, size_t size)
{
    char *text = xc_control(h, XC_PAGE_SIZE);

    to[0] = '\0';
    if (xc_call(h, __HYPERVISOR_xen_version, cmd, (uintptr_t)text, 0) >= 0) {
        (void)snprintf(to, size, "%.*s", (int)size - 1, text);
    }
}

static void version_numbers(struct xc_handle *h, struct xc_version *version)
{
    const struct xen_platform_parameters *p;
    const struct xen_compile_info *c;
    long r;

    c = xc_control(h, sizeof(*c));
    if (xc_call(h, __HYPERVISOR_xen_version, XENVER_compile_info, (uintptr_t)c, 0) >= 0) {
        (void)snprintf(version->compiler, sizeof(version->compiler), "%.*s",
                       (int)sizeof(c->compiler), c->compiler);
        (void)snprintf(version->compile_by, sizeof(version->compile_by), "%.*s",
                       (int)sizeof(c->compile_by), c->compile_by);
        (void)snprintf(version->compile_domain, sizeof(version->compile_domain), "%.*s",
                       (int)sizeof(c->compile_domain), c->compile_domain);
        (void)snprintf(version->compile_date, sizeof(version->compile_date), "%.*s",
                       (int)sizeof(c->compile_date), c->compile_date);
    }
    p = xc_control(h, sizeof(*p));
    if (xc_call(h, __HYPERVISOR_xen_version, XENVER_platform_parameters, (uintptr_t)p, 0) >= 0) {
        version->virt_start = p->virt_start;
    }
    r = xc_call(h, __HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    version->page_size = r > 0 ? (uint32_t)r : XC_PAGE_SIZE;
}

int xc_host_version(struct xc_handle *h, struct xc_version *version)
{
    long r = xc_call(h, __HYPERVISOR_xen_version, XENVER_version, 0, 0);
    struct xc_version v = {0};

    if (r < 0) {
        return xc_fail(h, (int)r, "The hypervisor doesn't tell its version: %s.",
                       xc_reason((int)r));
    }
    v.major = (uint32_t)r >> 16;
    v.minor = (uint32_t)r & 0xffff;
    version_text(h, XENVER_extraversion, v.extra, sizeof(v.extra));
    version_text(h, XENVER_changeset, v.changeset, sizeof(v.changeset));
    version_text(h, XENVER_capabilities, v.capabilities, sizeof(v.capabilities));
    version_text(h, XENVER_commandline, v.command_line, sizeof(v.command_line));
    version_numbers(h, &v);
    *version = v;
    return 0;
}
