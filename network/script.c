/*
 * Classic hook scripts. Contract: script.h.
 */
#include "network/script.h"

#include "network/process.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned timeout_s = 30;

char *script_path(const char *script)
{
    return strchr(script, '/') ? xstrdup(script) : xprintf(SCRIPT_FOLDER "/%s", script);
}

void script_set_timeout(unsigned seconds)
{
    timeout_s = seconds;
}

int script_check(const struct net_card *card, struct error *err)
{
    auto_str path = script_path(card->vif->script);
    struct stat st;

    if (path[0] != '/') {
        return fail(err, EINVAL, "script=%s must be a whole path, or the name of a file in %s.",
                    path, SCRIPT_FOLDER);
    }
    if (stat(path, &st) != 0) {
        return fail(err, ENOENT,
                    "There is no script %s: the built-in modes are vif-bridge, vif-route and "
                    "vif-nat; without script= the card gets xend's vif_script.",
                    path);
    }
    if (!S_ISREG(st.st_mode) || access(path, X_OK) != 0) {
        return fail(err, EACCES, "The script %s cannot be run: chmod +x it.", path);
    }
    if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH))) {
        return fail(err, EPERM,
                    "The script %s is run as root, and others may change it: chown root it and "
                    "chmod go-w it.",
                    path);
    }
    return 0;
}

static int run(const struct net_card *card, const char *command, struct error *err)
{
    auto_str path = script_path(card->vif->script);
    auto_str script = xprintf("script=%s", path);
    auto_str bus = xprintf("XENBUS_PATH=backend/vif/%d/%u", card->domid, card->id);
    auto_str vif = xprintf("vif=vif%d.%u", card->domid, card->id);
    auto_str verb = xstrdup(command);
    char base[] = "XENBUS_BASE_PATH=backend", type[] = "XENBUS_TYPE=vif", kind[] = "type_if=vif";
    char search[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *argv[] = {path, verb, kind, NULL};
    char *envp[] = {script, bus, vif, base, type, search, NULL};
    char said[PROCESS_SAID];
    int r = process_run(argv, envp, timeout_s, said, err);

    if (r <= 0) {
        return r;
    }
    return fail(err, EIO, "The script %s %s of %s failed (%d)%s%s", path, command, vif + 4, r,
                said[0] ? ": " : " and printed nothing.", said);
}

int script_online(struct net_card *card, struct error *err)
{
    return run(card, "online", err);
}

void script_offline(const struct net_card *card)
{
    struct error err = {0};

    if (run(card, "offline", &err) != 0) {
        log_warn("%s", err.msg);
    }
}
