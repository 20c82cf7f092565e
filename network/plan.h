/*
 * Plans: what will be done to the host's network, step by step, before any of it is done.
 *
 * A plan is computed from the state that the kernel shows (bridge_mode.h), printed for people,
 * written to the journal, and then run as one transaction (transaction.h). A plan without steps
 * says that everything is already as it should be. Read first: change.h.
 */
#ifndef NETWORK_PLAN_H
#define NETWORK_PLAN_H

#include "network/change.h"
#include "network/probe.h"

struct step {
    unsigned number; /* of the step in the seed's order, or what the mode counts */
    char *text;      /* "Rename eth0 to peth0": what it does, for people */
    char *back;      /* the same for the plan turned round */
    struct changes changes;
};

struct plan {
    char *title;        /* "Bridge mode: eth0 goes on xenbr0" */
    int64_t made;       /* seconds since boot, when the state was looked at */
    struct probe probe; /* what must answer afterwards */
    struct step *steps;
    size_t count;
};

/* A new step at the end; its changes are added to plan_changes(). */
void plan_step(struct plan *plan, unsigned number, char *text, char *back); /* takes the texts */
struct changes *plan_changes(struct plan *plan);                            /* of the last step */
/* Do everything the other way round: the plan that takes back what this one does. */
void plan_reverse(struct plan *plan);
void plan_finish(struct plan *plan);
#define auto_plan __attribute__((cleanup(plan_finish))) struct plan

/* Seconds since boot, suspended or not. */
int64_t plan_now(void);

/*
 * As a value: {title, made, probe, steps: [{number, text, back, changes: [...]}]}. With a netlink
 * socket each step also gets "details", sentences for people.
 */
struct value *plan_write(const struct plan *plan, struct netlink *nl);
/* What a journal holds; the probe is not read. 0 or -EINVAL with the sentence. */
int plan_read(const struct value *v, struct plan *plan, struct error *err);

#endif
