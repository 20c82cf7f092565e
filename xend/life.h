/*
 * The life of a domain: what people ask for. What domains do by themselves is in end.h.
 *
 *     (nothing) --create--> building --> running --shutdown, destroy--> stopping --> (nothing)
 *     (nothing) --new--> halted --start--> building --> running --> stopping --> halted --delete-->
 *
 * Every function makes the domain busy while it works, writes the intent into its record first, and
 * leaves a state that recover.c understands, whatever moment xend is killed at.
 * All return 0 or -errno with the sentence.
 */
#ifndef XEND_LIFE_H
#define XEND_LIFE_H

#include "xend/domain.h"

/*
 * Build a domain; takes over cfg, also on failure. It is left paused; *out has a reference. UUID
 * and MACs that cfg does not have are chosen.
 */
int life_create(struct session *s, struct domain_config *cfg, struct domain **out,
                struct error *err);
/* Check all that create checks, and touch nothing. Does not take over cfg. */
int life_check(struct session *s, struct domain_config *cfg, struct error *err);

/* Store a domain without starting it; takes over cfg. A stored one of the same name is replaced. */
int life_new(struct session *s, struct domain_config *cfg, struct error *err);
int life_start(struct session *s, struct domain *d, bool paused, struct error *err);
int life_delete(struct session *s, struct domain *d, struct error *err);

/* reason: "poweroff", "reboot", "halt" or "suspend"... as control/shutdown takes it. Does not wait.
 */
int life_shutdown(struct session *s, struct domain *d, const char *reason, struct error *err);
int life_destroy(struct session *s, struct domain *d, struct error *err);
int life_pause(struct session *s, struct domain *d, struct error *err);
int life_unpause(struct session *s, struct domain *d, struct error *err);
int life_rename(struct session *s, struct domain *d, const char *name, struct error *err);
int life_sysrq(struct session *s, struct domain *d, const char *key, struct error *err);

/*
 * Write a core dump to path (NULL: a new file below the state folder; *written gets its name, which
 * the caller frees). The domain is paused meanwhile unless `live`; afterwards it is destroyed if
 * `crash`, or restarted if `reset`.
 */
int life_dump(struct session *s, struct domain *d, const char *path, bool live, bool crash,
              bool reset, char **written, struct error *err);

/* For end.c and recover.c; d is busy. */
/* d was taken down: it becomes halted if it is stored, and is forgotten if not. */
void life_gone(struct domain *d);
/* Take d down and build it again, as a reboot does. */
int life_restart(struct session *s, struct domain *d, struct error *err);
/* Write a core dump of a domain that runs no more. */
int life_write_dump(struct session *s, struct domain *d, const char *path, char **written,
                    struct error *err);

#endif
