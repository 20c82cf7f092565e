/*
 * The command line: the options of Xen's xenstored, and some of ours.
 */
#ifndef XENSTORED_OPTIONS_H
#define XENSTORED_OPTIONS_H

#include <stdbool.h>

struct options {
    bool domain_init; /* there is a hypervisor */
    bool fork;
    bool print_pid;
    bool live_update;
    bool supervise;
    bool keep_state;
    const char *pid_file;
    const char *socket; /* path */
    const char *state_dir;
    const char *run_dir;
    const char *fake_dir; /* tests: platform_fake's directory */
};

/* Reads the command line and the environment; ends the process on --help and on mistakes. */
void options_parse(int argc, char **argv, struct options *o);

#endif
