/*
 * Domain 0's packet filter: commands in nft's language, through libnftables, without a shell.
 *
 * Our rules live in tables of our own, "netdev hospes" (filter.c) and "inet hospes" (nat.c). Nobody
 * else's table is ever read or changed. One command text is one transaction: all of it or nothing.
 * Any thread may call.
 */
#ifndef NETWORK_NFT_H
#define NETWORK_NFT_H

#include "xend/lib/error.h"

/*
 * Run commands. `what` is the subject of the sentence if they are refused: "The rules of vif3.0".
 * 0, or -EOPNOTSUPP with the sentence (it has nft's own words).
 */
int nft_run(const char *commands, const char *what, struct error *err);

/* What a command prints ("list table inet hospes"), or NULL if it is refused. The caller frees. */
char *nft_ask(const char *command);

#endif
