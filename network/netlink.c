/*
 * Requests over rtnetlink through libnl. Contract: netlink.h.
 */
#include "network/netlink.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER (1 << 20)

/* The kernel's words stand behind the answer's copy of the request, which NETLINK_CAP_ACK omits. */
static void take_words(struct netlink *nl, const struct nlmsgerr *answer)
{
    const struct nlmsghdr *header =
        (const struct nlmsghdr *)(const void *)((const char *)answer - NLMSG_HDRLEN);
    struct nlattr *words;
    int skip = (int)sizeof(*answer);

    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) {
        return;
    }
    if (!(header->nlmsg_flags & NLM_F_CAPPED)) {
        skip += (int)answer->msg.nlmsg_len - NLMSG_HDRLEN;
    }
    words = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)header, skip, NLMSGERR_ATTR_MSG);
    if (words != NULL) {
        nla_strlcpy(nl->said, words, sizeof(nl->said));
    }
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *answer, void *arg)
{
    struct netlink *nl = arg;

    nl->error = -answer->error;
    nl->answered = true;
    take_words(nl, answer);
    return NL_STOP;
}

/* The acknowledgement of a request, or the end of a listing. */
static int on_end(struct nl_msg *msg, void *arg)
{
    struct netlink *nl = arg;

    nl->answered = true;
    return NL_STOP;
}

int netlink_open(struct netlink *nl, struct error *err)
{
    int one = 1, r;

    memset(nl, 0, sizeof(*nl));
    nl->sock = nl_socket_alloc();
    if (nl->sock == NULL) {
        return fail(err, ENOMEM, "There is no memory for a netlink socket.");
    }
    r = nl_connect(nl->sock, NETLINK_ROUTE);
    if (r < 0) {
        netlink_close(nl);
        return fail(err, EIO, "The kernel's network configuration does not answer: %s.",
                    nl_geterror(r));
    }
    setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
    setsockopt(nl_socket_get_fd(nl->sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
    nl_socket_set_buffer_size(nl->sock, BUFFER, BUFFER);
    nl_socket_modify_err_cb(nl->sock, NL_CB_CUSTOM, on_error, nl);
    nl_socket_modify_cb(nl->sock, NL_CB_ACK, NL_CB_CUSTOM, on_end, nl);
    nl_socket_modify_cb(nl->sock, NL_CB_FINISH, NL_CB_CUSTOM, on_end, nl);
    return 0;
}

void netlink_close(struct netlink *nl)
{
    if (nl->sock != NULL) {
        nl_socket_free(nl->sock);
        nl->sock = NULL;
    }
}

struct nl_msg *netlink_message(int type, int flags, const void *fixed, size_t size)
{
    struct nl_msg *msg = nlmsg_alloc_size(16384);

    if (msg == NULL || nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) == NULL ||
        nlmsg_append(msg, (void *)(uintptr_t)fixed, size, NLMSG_ALIGNTO) < 0) {
        nlmsg_free(msg);
        return NULL;
    }
    return msg;
}

struct asking {
    netlink_each *each;
    void *arg;
    int rc;
};

static int on_answer(struct nl_msg *msg, void *arg)
{
    struct asking *asking = arg;
    int rc = asking->each ? asking->each(nlmsg_hdr(msg), asking->arg) : 0;

    asking->rc = asking->rc ? asking->rc : rc;
    return NL_OK;
}

static int ask(struct netlink *nl, struct nl_msg *msg, struct asking *asking)
{
    int r;

    nl->error = 0;
    nl->said[0] = '\0';
    if (msg == NULL) {
        nl->error = ENOMEM;
        return -ENOMEM;
    }
    nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, on_answer, asking);
    nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_REQUEST;
    r = nl_send_auto(nl->sock, msg); /* asks for an acknowledgement, too */
    nlmsg_free(msg);
    nl->answered = false;
    while (r >= 0 && !nl->answered) {
        r = nl_recvmsgs_default(nl->sock);
    }
    if (r == -NLE_DUMP_INTR) {
        return -EAGAIN;
    }
    if (nl->error == 0 && r < 0) {
        nl->error = EIO;
        snprintf(nl->said, sizeof(nl->said), "%s", nl_geterror(r));
    }
    return -nl->error;
}

static int explain(struct netlink *nl, int rc, struct error *err, const char *what, va_list args)
{
    char text[400];

    vsnprintf(text, sizeof(text), what, args);
    return fail(err, -rc, "%s: %s.", text, nl->said[0] ? nl->said : strerror(-rc));
}

int netlink_request(struct netlink *nl, struct nl_msg *msg, struct error *err, const char *what,
                    ...)
{
    struct asking asking = {NULL, NULL, 0};
    int rc = ask(nl, msg, &asking);
    va_list args;

    if (rc != 0) {
        va_start(args, what);
        explain(nl, rc, err, what, args);
        va_end(args);
    }
    return rc;
}

int netlink_query(struct netlink *nl, struct nl_msg *msg, netlink_each *each, void *arg,
                  struct error *err, const char *what, ...)
{
    struct asking asking = {each, arg, 0};
    int rc = ask(nl, msg, &asking);
    va_list args;

    rc = rc ? rc : asking.rc;
    if (rc != 0) {
        va_start(args, what);
        explain(nl, rc, err, what, args);
        va_end(args);
    }
    return rc;
}
