/*
 * One network card of a guest, as 'mac=00:16:3e:01:02:03, bridge=xenbr0' writes it.
 */
#ifndef XEND_LIB_VIF_H
#define XEND_LIB_VIF_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Every field may be NULL: not given. */
struct vif_spec {
    char *mac;     /* "00:16:3e:01:02:03", lower case */
    char *bridge;  /* bridge in the backend's domain */
    char *ip;      /* addresses of the guest, separated by blanks */
    char *script;  /* a classic hook script, or "vif-bridge" and friends for the built-in modes */
    char *vifname; /* name of the backend's interface instead of vifX.Y */
    char *rate;    /* "10Mb/s@50ms" */
    char *type;    /* "netfront" (PV), "ioemu" (HVM) */
    char *model;   /* HVM: the card to emulate */
    char *backend; /* name or id of the backend's domain */
};

/* Parse "key=value, key=value"; "" is a card with everything chosen by xend. 0 or -EINVAL */
int vif_parse(const char *text, struct vif_spec *vif, struct error *err);
/* Set one field by its name, checked. 0 or -EINVAL */
int vif_set(struct vif_spec *vif, const char *key, const char *value, struct error *err);
void vif_finish(struct vif_spec *vif);
void vif_copy(struct vif_spec *to, const struct vif_spec *from);

/* The names of the fields, and the fields in the same order, for writing a card down. */
#define VIF_FIELDS 9
extern const char *const vif_field_names[VIF_FIELDS];
char **vif_field(struct vif_spec *vif, unsigned i);

/*
 * "10Mb/s@50ms" as netback's pair: bytes that may be sent in each interval, and the interval in
 * microseconds. 0 or -EINVAL
 */
int vif_rate(const char *text, uint64_t *bytes, uint64_t *interval_us);

/*
 * A MAC for card number i of the domain with this UUID, in Xen's range 00:16:3e. The same card gets
 * the same address at every start. The caller frees it.
 */
char *vif_default_mac(const char *uuid, unsigned i);

#endif
