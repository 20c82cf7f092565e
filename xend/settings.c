/*
 * xend's settings. Contract: settings.h.
 */
#include "xend/settings.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cfg_parse.h"
#include "xend/lib/options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct settings settings;

enum kind { TEXT, NUMBER, TRUTH };

static const struct {
    const char *name;
    enum kind kind;
    void *field;
} rows[] = {
    {"socket", TEXT, &settings.socket},
    {"state_dir", TEXT, &settings.state_dir},
    {"log_file", TEXT, &settings.log_file},
    {"store", TEXT, &settings.store},
    {"kernel_cache", TEXT, &settings.kernel_cache},
    {"prepare_kernels", TEXT, &settings.prepare_kernels},
    {"bridge", TEXT, &settings.bridge},
    {"vif_script", TEXT, &settings.vif_script},
    {"vif_antispoof", TEXT, &settings.vif_antispoof},
    {"network_script", TEXT, &settings.network_script},
    {"nat_bridge", TEXT, &settings.nat_bridge},
    {"nat_network", TEXT, &settings.nat_network},
    {"nat_network6", TEXT, &settings.nat_network6},
    {"tcp_address", TEXT, &settings.tcp_address},
    {"tcp_port", NUMBER, &settings.tcp_port},
    {"tcp_token_file", TEXT, &settings.tcp_token_file},
    {"device_timeout", NUMBER, &settings.device_timeout},
    {"dom0_min_mem", NUMBER, &settings.dom0_min_mem},
    {"dom0_ballooning", TRUTH, &settings.dom0_ballooning},
    {"hypervisor_reserve", NUMBER, &settings.hypervisor_reserve},
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

void settings_init(void)
{
    memset(&settings, 0, sizeof(settings));
    settings.socket = xstrdup(XEND_SOCKET);
    settings.state_dir = xstrdup("/var/lib/xend");
    settings.tcp_address = xstrdup("127.0.0.1");
    settings.prepare_kernels = xstrdup("/boot/vmlinuz-*");
    settings.device_timeout = 30;
    settings.dom0_min_mem = 256;
    settings.hypervisor_reserve = 8;
}

static int set_one(const char *path, size_t row, const struct value *v, struct error *err)
{
    int64_t number = 0;

    if (rows[row].kind == TEXT) {
        if (v->type != VALUE_STRING) {
            return fail(err, EINVAL, "%s:%u: %s must be a string in quotes.", path, v->line,
                        rows[row].name);
        }
        str_set(rows[row].field, v->string[0] ? v->string : NULL);
        return 0;
    }
    if (value_to_int(v, &number) != 0 || number < 0 || number > INT32_MAX) {
        return fail(err, EINVAL, "%s:%u: %s must be a whole number that is not negative.", path,
                    v->line, rows[row].name);
    }
    if (rows[row].kind == TRUTH) {
        *(bool *)rows[row].field = number != 0;
    } else {
        *(uint32_t *)rows[row].field = (uint32_t)number;
    }
    return 0;
}

static int unknown(const char *path, const char *name, const struct value *v, struct error *err)
{
    const char *names[NR_ROWS + 1] = {NULL}, *near;

    for (size_t i = 0; i < NR_ROWS; i++) {
        names[i] = rows[i].name;
    }
    near = nearest_name(name, names);
    return fail(err, EINVAL, "%s:%u: there is no setting %s%s%s%s", path, v->line, name,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : ".");
}

int settings_read(const char *path, bool optional, struct error *err)
{
    auto_value config = NULL;
    int rc;

    if (optional && access(path, F_OK) != 0) {
        return 0;
    }
    rc = cfg_parse_file(path, &config, err);
    for (size_t i = 0; rc == 0 && i < config->count; i++) {
        size_t row = 0;

        while (row < NR_ROWS && strcmp(rows[row].name, config->keys[i]) != 0) {
            row++;
        }
        rc = row < NR_ROWS ? set_one(path, row, config->items[i], err)
                           : unknown(path, config->keys[i], config->items[i], err);
    }
    return rc;
}

int settings_check(struct error *err)
{
    if (settings.socket == NULL || settings.state_dir == NULL) {
        return fail(err, EINVAL, "socket and state_dir can't be empty: remove the line.");
    }
    if (settings.tcp_port > 65535) {
        return fail(err, EINVAL, "tcp_port is %u: ports end at 65535.", settings.tcp_port);
    }
    if (settings.tcp_port != 0 && settings.tcp_token_file == NULL) {
        return fail(err, EINVAL,
                    "tcp_port is set without tcp_token_file: write a secret into a file that only "
                    "root can read and name it, because TCP shows nobody's identity.");
    }
    if (settings.device_timeout == 0) {
        settings.device_timeout = 30;
    }
    return 0;
}
