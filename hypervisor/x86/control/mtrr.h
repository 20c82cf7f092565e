/* Memory types: XENPF_add_memtype, del_memtype, read_memtype. platform_op's lock is held. */
#ifndef CONTROL_MTRR_H
#define CONTROL_MTRR_H

#include <hospes/types.h>
#include <xen/platform.h>

/* -EINVAL: there is no such register. */
int mtrr_read(struct xenpf_read_memtype *t);
/* Gives the range this type, or counts that it has it. -EINVAL: no power of two, not aligned, no
 * such type, or it contradicts another one; -EOPNOTSUPP: no write-combining; -ENOSPC; -ENXIO: no
 * MTRRs. */
int mtrr_add(struct xenpf_add_memtype *t);
/* Takes one use back, and the range with the last. -EINVAL, -ENXIO. */
int mtrr_del(const struct xenpf_del_memtype *t);

#endif
