/*
 * nftables through libnftables. Contract: nft.h.
 */
#include "network/nft.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The library is not said to be safe for threads, and our transactions are short. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Run in a context of its own; *output and *complaint are the caller's. */
static int run(const char *commands, char **output, char **complaint)
{
    struct nft_ctx *ctx;
    int r = -1;

    *output = NULL;
    *complaint = NULL;
    pthread_mutex_lock(&lock);
    ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (ctx != NULL) {
        nft_ctx_buffer_output(ctx);
        nft_ctx_buffer_error(ctx);
        r = nft_run_cmd_from_buffer(ctx, commands);
        *output = xstrdup(nft_ctx_get_output_buffer(ctx));
        *complaint = xstrdup(nft_ctx_get_error_buffer(ctx));
        nft_ctx_free(ctx);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

int nft_run(const char *commands, const char *what, struct error *err)
{
    auto_str output = NULL;
    auto_str complaint = NULL;
    const char *words;

    if (run(commands, &output, &complaint) == 0) {
        return 0;
    }
    words = complaint != NULL ? strstr(complaint, "Error: ") : NULL;
    words = words != NULL ? words + strlen("Error: ") : "it says nothing";
    return fail(
        err, EOPNOTSUPP,
        "%s cannot be set: Domain 0's packet filter refuses them (%.*s). Is nf_tables there "
        "(modprobe nf_tables)?",
        what, (int)strcspn(words, "\n"), words);
}

char *nft_ask(const char *command)
{
    auto_str complaint = NULL;
    char *output;

    if (run(command, &output, &complaint) != 0) {
        free(output);
        return NULL;
    }
    return output;
}
