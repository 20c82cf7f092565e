/*
 * xend's settings: /etc/xend/xend.conf, in the same syntax as a domain's configuration.
 *
 * They are read once, before any thread exists, and never change afterwards.
 */
#ifndef XEND_SETTINGS_H
#define XEND_SETTINGS_H

#include "xend/lib/error.h"
#include "xend/lib/value.h"

#include <stdbool.h>
#include <stdint.h>

#define XEND_CONF   "/etc/xend/xend.conf"
#define XEND_SOCKET "/var/run/xend/xmlrpc.sock"

struct settings {
    char *socket;            /* UNIX socket of the API */
    char *state_dir;         /* records of domains; core dumps below it */
    char *log_file;          /* NULL: standard error */
    char *store;             /* socket of xenstored; NULL: where it usually is */
    char *kernel_cache;      /* NULL: the library's */
    char *prepare_kernels;   /* patterns of paths with spaces between, or NULL: prepare.h */
    char *bridge;            /* for network cards that name none; NULL: xenbr0 or the only one */
    char *vif_script;        /* network mode of cards that name none; NULL: vif-bridge */
    char *vif_antispoof;     /* antispoof= of cards on bridges that say nothing; NULL: off */
    char *network_script;    /* of the host (network/host.h), started with xend; NULL: none */
    char *nat_bridge;        /* NAT mode's bridge; NULL: virbr0 */
    char *nat_network;       /* Domain 0's address on it; NULL: 192.168.122.1/24 */
    char *nat_network6;      /* the same for IPv6, "fd00:122::1/64"; NULL: NAT mode has none */
    char *tcp_address;       /* of the TCP server: 127.0.0.1 or ::1 */
    uint32_t tcp_port;       /* 0: no TCP */
    char *tcp_token_file;    /* the secret that a TCP client must send; required with tcp_port */
    uint32_t device_timeout; /* seconds that a backend or a guest gets for a device */
    uint32_t dom0_min_mem;   /* MiB that Domain 0 keeps whatever happens */
    bool dom0_ballooning;    /* may Domain 0 be shrunk, down to that, for a new domain? */
    uint32_t hypervisor_reserve; /* MiB that stay free for the hypervisor itself */
};

extern struct settings settings;

/* Fill settings with the defaults. */
void settings_init(void);
/*
 * Read a file over the defaults. A file that does not exist is no error if `optional`.
 * 0 or -errno with the sentence.
 */
int settings_read(const char *path, bool optional, struct error *err);
/* Settings that contradict each other. 0 or -EINVAL */
int settings_check(struct error *err);

#endif
