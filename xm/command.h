/*
 * The commands of xm: one row each, in table.c.
 */
#ifndef XM_COMMAND_H
#define XM_COMMAND_H

#include "xend/lib/error.h"
#include "xend/lib/value.h"

#include <stdbool.h>

/* What xm's exit says. Documented in xm(1). */
enum xm_exit {
    XM_OK = 0,
    XM_FAILED = 1,    /* xend refused, or the thing went wrong */
    XM_USAGE = 2,     /* the command line or the configuration is wrong */
    XM_NO_DOMAIN = 3, /* there is no such domain */
    XM_NO_XEND = 4,   /* xend does not answer */
    XM_TIMEOUT = 5,   /* what was waited for did not happen */
};

/* The words after the command; options are taken out of them first. */
struct args {
    const struct command *command;
    char **words;
    int count;
    bool json; /* --json was among them */
};

/* What the words of a command can be completed with. */
enum completion { COMPLETE_NONE, COMPLETE_DOMAIN, COMPLETE_FILE, COMPLETE_COMMAND };

struct command {
    const char *name;
    int (*run)(struct args *args);
    int least, most;     /* words without options; most -1: any number */
    const char *words;   /* "DOMAIN MIB" */
    const char *summary; /* one line */
    const char *options; /* lines for its help, or NULL */
    enum completion completes;
    const char *group; /* heading under which help lists it; NULL: not listed */
};

extern const struct command commands[]; /* ends with a NULL name */
const struct command *command_find(const char *name);

/* Take an option out of the words. Either name may be NULL. */
bool args_flag(struct args *args, const char *brief, const char *full);
/* Its value (the next word, or after "="); NULL if the option is not there. */
char *args_value(struct args *args, const char *brief, const char *full);
/*
 * Call when all options are taken: what is left must be the row's number of words, none of them an
 * option. XM_OK, or XM_USAGE after saying so.
 */
int args_done(struct args *args);

/* Print the sentence and return the exit that rc means. */
int report(int rc, const struct error *err);
/* A call whose answer is not wanted, with its errors reported. */
int simple_call(const char *method, struct value *args);
/* A call with its errors reported. */
int call(const char *method, struct value *args, struct value **result);

/* "512", "512m", "2g" in MiB; 0 and a complaint if it is none. */
unsigned parse_mib(const char *text);
/* Print a value as JSON. */
int print_json(const struct value *v);

/* The commands. */
int cmd_create(struct args *), cmd_new(struct args *), cmd_start(struct args *),
    cmd_delete(struct args *);
int cmd_list(struct args *), cmd_info(struct args *), cmd_uptime(struct args *),
    cmd_domid(struct args *), cmd_domname(struct args *), cmd_vcpu_list(struct args *),
    cmd_block_list(struct args *), cmd_network_list(struct args *), cmd_top(struct args *);
int cmd_shutdown(struct args *), cmd_reboot(struct args *), cmd_destroy(struct args *),
    cmd_pause(struct args *), cmd_unpause(struct args *), cmd_rename(struct args *),
    cmd_dump_core(struct args *), cmd_sysrq(struct args *), cmd_console(struct args *);
int cmd_mem_set(struct args *), cmd_mem_max(struct args *), cmd_vcpu_set(struct args *),
    cmd_vcpu_pin(struct args *), cmd_sched_credit(struct args *);
int cmd_block_attach(struct args *), cmd_block_detach(struct args *),
    cmd_network_attach(struct args *), cmd_network_detach(struct args *);
int cmd_network_plan(struct args *), cmd_network_start(struct args *),
    cmd_network_stop(struct args *), cmd_network_status(struct args *);
int cmd_dmesg(struct args *), cmd_log(struct args *), cmd_debug_keys(struct args *),
    cmd_events(struct args *), cmd_help(struct args *), cmd_complete(struct args *);

/* console.c: connect the terminal to tty until ^] or its end. on_ready is called once connected. */
int console_run(const char *tty, int (*on_ready)(void *arg), void *arg, struct error *err);

/* progress.c: show how a domain's creation goes, on a terminal, until progress_stop(). */
struct progress;
struct progress *progress_start(const char *domain);
void progress_stop(struct progress *progress);

#endif
