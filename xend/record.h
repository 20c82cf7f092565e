/*
 * Records: what xend must still know after it was killed, one file for each domain.
 *
 * A record is written before its domain changes (the intent) and again when the change is complete.
 * It is replaced atomically: a new file, fsync, rename, fsync of the folder. So whatever moment
 * xend dies at, recover.c finds either the state before or the intent, and finishes or undoes it.
 *
 *     <state_dir>/domains/<uuid>.json
 */
#ifndef XEND_RECORD_H
#define XEND_RECORD_H

#include "xend/lib/domcfg.h"
#include "xend/lib/error.h"

#include <stdbool.h>
#include <stdint.h>

enum phase {
    PHASE_HALTED,     /* stored, no domain in the hypervisor */
    PHASE_BUILDING,   /* a creation is under way; if it does not end it is undone... */
    PHASE_RESTARTING, /* ...but this one is done again: it belongs to a guest's reboot */
    PHASE_RUNNING,
    PHASE_STOPPING,  /* is being taken down for good (or until someone starts it) */
    PHASE_REBOOTING, /* is being taken down and will be built again */
};

struct record {
    struct domain_config cfg;
    enum phase phase;
    bool managed;       /* stored: it outlives its domain */
    int domid;          /* -1: none (yet) */
    uint32_t restarts;  /* since it was created or started by someone */
    int64_t start_time; /* seconds since 1970; 0: never */
};

const char *phase_name(enum phase phase);

/* Write or replace a record, durably. 0 or -errno with the sentence. */
int record_write(const struct record *rec, struct error *err);
/* Remove a record, durably. One that is not there is fine. */
int record_remove(const char *uuid, struct error *err);

/*
 * Call found() for each record, which takes over rec's contents. A file that can't be understood is
 * renamed to *.damaged and logged, and does not stop the others. 0 or -errno
 */
int record_each(void (*found)(struct record *rec, void *arg), void *arg, struct error *err);

/* Make the folders below state_dir. 0 or -errno */
int record_init(struct error *err);

#endif
