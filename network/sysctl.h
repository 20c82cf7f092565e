/*
 * The kernel's settings of the network: /proc/sys/net of the caller's network namespace.
 *
 * A setting is named by its path below /proc/sys/net, with slashes: "ipv4/ip_forward",
 * "ipv4/conf/vif1.0/proxy_arp" (names of interfaces may hold dots).
 */
#ifndef NETWORK_SYSCTL_H
#define NETWORK_SYSCTL_H

#include "xend/lib/error.h"

#include <stddef.h>

/* The value without its end of line. 0 or -errno: ENOENT, ENAMETOOLONG, ENOSPC (buffer too small)
 */
int sysctl_get(const char *path, char *value, size_t size, struct error *err);
/* 0 or -errno: ENOENT, EROFS, EINVAL (the kernel refuses the value) */
int sysctl_set(const char *path, const char *value, struct error *err);

#endif
