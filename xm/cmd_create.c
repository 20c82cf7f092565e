/*
 * create, new, start, delete: domains from configuration files. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cfg_parse.h"
#include "xend/lib/options.h"
#include "xend/lib/sxp.h"
#include "xm/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = 1;
}

/* The file that was meant: as it is, or in /etc/xen as the classic had it. */
static char *find_file(const char *name)
{
    char *path = xstrdup(name);

    if (strchr(name, '/') == NULL && access(name, F_OK) != 0) {
        free(path);
        path = xprintf("/etc/xen/%s", name);
        if (access(path, F_OK) != 0) {
            free(path);
            path = xstrdup(name);
        }
    }
    return path;
}

/* File and KEY=VALUE words into a checked configuration. Warnings go to standard error. */
static int read_words(struct args *args, char *defconfig, struct domain_config *cfg)
{
    auto_value config = NULL;
    auto_value warnings = value_list();
    auto_str path = NULL;
    struct error err = {0};
    int first = 0, rc = 0;

    if (defconfig == NULL && args->count > 0 && strchr(args->words[0], '=') == NULL) {
        defconfig = args->words[first++];
    }
    path = xstrdup("command line");
    config = value_dict();
    if (defconfig != NULL) {
        free(path);
        path = find_file(defconfig);
        value_free(config);
        config = NULL;
        rc = cfg_parse_file(path, &config, &err);
    }
    for (int i = first; rc == 0 && i < args->count; i++) {
        rc = cfg_override(config, args->words[i], &err);
    }
    rc = rc ? rc : options_read(path, config, cfg, warnings, &err);
    for (size_t i = 0; i < warnings->count; i++) {
        fprintf(stderr, "Warning: %s\n", warnings->items[i]->string);
    }
    if (rc != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return XM_USAGE;
    }
    return XM_OK;
}

static struct value *to_sxp(const struct domain_config *cfg)
{
    struct value *sxp = sxp_new("vm");

    domcfg_to_sxp(cfg, sxp);
    return sxp;
}

static int unpause(void *arg)
{
    return simple_call("xend.domain.unpause", client_args("s", (const char *)arg));
}

static int find_console(const char *name, char **tty, struct error *err)
{
    auto_value result = NULL;
    int rc = client_call("xend.domain.console", client_args("s", name), &result, err);

    if (rc == 0) {
        *tty = xstrdup(value_text(result, ""));
    }
    return rc;
}

/* Connect first and unpause then: nothing of the boot is missed. */
static int run_with_console(const char *name, bool paused)
{
    auto_str tty = NULL;
    auto_str copy = xstrdup(name);
    struct error err = {0};
    int rc = find_console(name, &tty, &err);

    if (rc != 0) {
        int failed = report(rc, &err);

        return paused || unpause(copy) != XM_OK ? XM_FAILED : failed;
    }
    return report(console_run(tty, paused ? NULL : unpause, copy, &err), &err);
}

/* After xend built it: what is left is to wait for devices and to let it run. */
static int finish(const char *name, bool console, bool paused)
{
    int rc = simple_call("xend.domain.waitForDevices", client_args("s", name));
    auto_str copy = xstrdup(name);

    if (rc == XM_OK && console) {
        return run_with_console(name, paused);
    }
    return rc || paused ? rc : unpause(copy);
}

static int create(const struct domain_config *cfg, bool console, bool paused, bool quiet)
{
    auto_value result = NULL;
    struct sigaction action = {.sa_handler = on_interrupt};
    struct error err = {0};
    struct progress *progress = quiet ? NULL : progress_start(cfg->name);
    int rc;

    sigaction(SIGINT, &action, NULL); /* no half-made domain: it is taken back below */
    rc = client_call("xend.domain.create", client_args("v", to_sxp(cfg)), &result, &err);
    progress_stop(progress);
    if (rc != 0) {
        return report(rc, &err);
    }
    if (interrupted) {
        fprintf(stderr, "Interrupted: %s is taken back.\n", cfg->name);
        simple_call("xend.domain.destroy", client_args("s", cfg->name));
        return XM_FAILED;
    }
    signal(SIGINT, SIG_DFL);
    if (!quiet) {
        printf("Started domain %s (id=%lld)\n", cfg->name,
               (long long)sxp_get_int(result, "domid", -1));
        fflush(stdout);
    }
    return finish(cfg->name, console, paused);
}

int cmd_create(struct args *args)
{
    bool console = args_flag(args, "-c", "--console_autoconnect");
    bool paused = args_flag(args, "-p", "--paused");
    bool check = args_flag(args, NULL, "--check");
    bool dry = args_flag(args, "-n", "--dryrun") || args_flag(args, NULL, "--dry-run");
    bool quiet = args_flag(args, "-q", "--quiet");
    char *defconfig = args_value(args, "-f", "--defconfig");
    struct domain_config cfg;
    int rc = args_done(args);

    if (rc == XM_OK && defconfig == NULL && args->count == 0) {
        fprintf(stderr, "Write it as: xm create %s\n", args->command->words);
        rc = XM_USAGE;
    }
    rc = rc ? rc : read_words(args, defconfig, &cfg);
    if (rc != XM_OK) {
        return rc;
    }
    if (dry) {
        auto_value sxp = to_sxp(&cfg);
        auto_value object = sxp_to_object(sxp);
        auto_str text = sxp_print(sxp);

        if (args->json) {
            print_json(object);
        } else {
            fputs(text, stdout);
        }
    } else if (check) {
        rc = simple_call("xend.domain.check", client_args("v", to_sxp(&cfg)));
        if (rc == XM_OK && !quiet) {
            printf("%s can be created.\n", cfg.name);
        }
    } else {
        rc = create(&cfg, console, paused, quiet);
    }
    domcfg_finish(&cfg);
    return rc;
}

int cmd_new(struct args *args)
{
    char *defconfig = args_value(args, "-f", "--defconfig");
    struct domain_config cfg;
    int rc = args_done(args);

    rc = rc ? rc : read_words(args, defconfig, &cfg);
    if (rc == XM_OK) {
        rc = simple_call("xend.domain.new", client_args("v", to_sxp(&cfg)));
        if (rc == XM_OK) {
            printf("Stored domain %s; xm start %s starts it.\n", cfg.name, cfg.name);
        }
        domcfg_finish(&cfg);
    }
    return rc;
}

int cmd_start(struct args *args)
{
    bool console = args_flag(args, "-c", "--console_autoconnect");
    bool paused = args_flag(args, "-p", "--paused");
    struct progress *progress;
    struct error err = {0};
    int rc = args_done(args);

    if (rc != XM_OK) {
        return rc;
    }
    progress = progress_start(args->words[0]);
    rc = client_call("xend.domain.start", client_args("si", args->words[0], console || paused),
                     NULL, &err);
    progress_stop(progress);
    if (rc != 0) {
        return report(rc, &err);
    }
    printf("Started domain %s\n", args->words[0]);
    fflush(stdout);
    return console ? run_with_console(args->words[0], paused) : XM_OK;
}

int cmd_delete(struct args *args)
{
    int rc = args_done(args);

    return rc ? rc : simple_call("xend.domain.delete", client_args("s", args->words[0]));
}
