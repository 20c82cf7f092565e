/*
 * Which domains have a console: what the store says.
 */
#ifndef XENCONSOLED_DOMAINS_H
#define XENCONSOLED_DOMAINS_H

struct xsc;

/* Watches domains come and go. 0 or -errno. */
int domains_watch(struct xsc *xs);

/* Takes the events that have come. 0, or -errno when the store is gone for good. */
int domains_take_events(struct xsc *xs);

#endif
