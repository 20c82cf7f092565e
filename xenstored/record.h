/*
 * The records of the log, shared by those who write them (persist.c, snapshot.c) and the one who
 * reads them (replay.c). Read persist.h first.
 *
 * A record is its header, a fixed part, and bytes whose lengths the fixed part says; it is padded
 * to 8. Who is meant by an id: a domain's number for a ring, RECORD_SOCKET | descriptor for a
 * socket.
 */
#ifndef XENSTORED_RECORD_H
#define XENSTORED_RECORD_H

#include "xenstored/persist.h"

#include <sys/uio.h>

#define RECORD_VERSION 1u
#define RECORD_SOCKET  0x80000000u

enum record_type {
    RECORD_NODE = 1,
    RECORD_NODE_GONE,
    RECORD_SPECIAL,
    RECORD_QUOTA,
    RECORD_DOMAIN,
    RECORD_DOMAIN_GONE,
    RECORD_WATCH,
    RECORD_UNWATCH,
    RECORD_TX,
    RECORD_TX_END,
    RECORD_IN,
    RECORD_CONSUMED,
    RECORD_OUT,
    RECORD_OUT_QUEUE,
    RECORD_RESET,
    RECORD_IGNORED,
    RECORD_GLOBAL,
    RECORD_SOCKET_CONN,
};

struct record {
    uint32_t len; /* of everything, header and padding included */
    uint32_t type;
};

/* What of a node's version is in the record; what is not is as in the version before. */
#define NODE_PERMS        1u
#define NODE_DATA         2u
#define NODE_NAMES        4u  /* the whole list of children */
#define NODE_NAMES_APPEND 8u  /* names to add at its end */
#define NODE_NAMES_REMOVE 16u /* one name to take out */

struct record_node {
    uint64_t generation;
    uint32_t parts;
    uint32_t pathlen, nperms, datalen, nameslen; /* followed by path, perms, data, names */
    uint32_t pad;
};

struct record_id {
    uint32_t id;
    uint32_t len;     /* of the bytes that follow */
    uint32_t value;   /* TX: its id. SPECIAL: number of permissions. WATCH: length of the path */
    uint32_t extra;   /* WATCH: depth */
    uint64_t value64; /* OUT_QUEUE, RESET: position in the stream. WATCH: 1 if relative */
};

struct record_domain {
    uint32_t domid, remote_port, port;
    int32_t target;
    uint64_t generation;
    uint32_t introduced, shutdown, ignored, next_tx_id;
};

struct record_consumed {
    uint64_t number;
    uint32_t domid, from, to, complete;
};

struct record_global {
    uint64_t generation;
    int32_t listen_fd, event_fd;
    uint32_t virq_port, pad;
};

/* Appends one record: its fixed part and up to four runs of bytes. */
void record_write(enum record_type type, const void *fixed, size_t fixed_len,
                  const struct iovec *bytes, int count);

/* True if there is a log to write to. */
bool record_wanted(void);

/* The state of the daemon that is not a connection's or a node's; set by main and by the loader. */
struct record_global *record_global(void);

/* Writes records that make up the whole state. */
void snapshot_write(bool with_sockets);

/* Applies the records in [data, data + len); 0 or -EINVAL at the first that makes no sense. */
int replay(const char *data, size_t len);

/* After the replay and once the platform is up: maps rings, binds ports, finishes what was under
 * way. */
void replay_resume_rings(bool ports_bound);

/* Frees what replay has kept for replay_resume_rings. */
void replay_forget(void);

uint32_t record_conn_id(const struct conn *c);

#endif
