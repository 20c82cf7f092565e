/*
 * Devices in general: writing and reading their nodes. Contract: device.h. Waiting for them:
 * device_wait.c; disks: vbd.c; cards: vifs.c.
 */
#include "xend/device.h"

#include "xend/lib/alloc.h"
#include "xend/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct job {
    char *front, *back;
    const char *const *front_pairs, *const *back_pairs;
    int domid;
};

static int write_folder(struct xsc *xs, uint32_t tx, const char *folder, int owner, int reader,
                        const char *const *pairs)
{
    int rc = xsc_mkdir(xs, tx, folder);

    rc = rc ? rc : tree_perms(xs, tx, folder, owner, reader);
    for (; rc == 0 && *pairs != NULL; pairs += 2) {
        auto_str path = xprintf("%s/%s", folder, pairs[0]);

        rc = xsc_write_str(xs, tx, path, pairs[1]); /* inherits the folder's permissions */
    }
    return rc;
}

static int write_body(struct xsc *xs, uint32_t tx, void *arg)
{
    const struct job *job = arg;
    int rc;

    xsc_rm(xs, tx, job->front);
    xsc_rm(xs, tx, job->back);
    rc = xsc_tx_post(xs, tx);
    rc = rc ? rc : write_folder(xs, tx, job->front, job->domid, 0, job->front_pairs);
    rc = rc ? rc : write_folder(xs, tx, job->back, 0, job->domid, job->back_pairs);
    return rc;
}

void device_pair(struct device_pairs *pairs, const char *name, const char *value)
{
    if (value != NULL && pairs->n + 3 <= sizeof(pairs->list) / sizeof(pairs->list[0])) {
        pairs->list[pairs->n++] = name;
        pairs->list[pairs->n++] = value;
        pairs->list[pairs->n] = NULL;
    }
}

int device_write(struct session *s, int domid, struct device dev, const struct device_pairs *front,
                 const struct device_pairs *back, struct error *err)
{
    struct job job = {.front_pairs = front->list, .back_pairs = back->list, .domid = domid};
    int rc;

    job.front = xprintf("/local/domain/%d/device/%s/%u", domid, dev.class, dev.id);
    job.back = xprintf("/local/domain/0/backend/%s/%d/%u", dev.class, domid, dev.id);
    rc = xsc_transact(s->xs, write_body, &job);
    free(job.front);
    free(job.back);
    if (rc != 0) {
        return fail(err, -rc, "The store did not take the nodes of %s %u: %s.", dev.class, dev.id,
                    strerror(-rc));
    }
    return 0;
}

size_t device_ids(struct session *s, int domid, const char *class, uint32_t **ids)
{
    auto_str path = xprintf("/local/domain/0/backend/%s/%d", class, domid);
    char **names = NULL;
    size_t count = 0;

    *ids = NULL;
    if (xsc_directory(s->xs, XSC_NO_TX, path, &names, &count) != 0) {
        return 0;
    }
    *ids = xalloc((count + 1) * sizeof(**ids));
    for (size_t i = 0; i < count; i++) {
        (*ids)[i] = (uint32_t)strtoul(names[i], NULL, 10);
    }
    free(names);
    return count;
}

/* Append what a folder holds as [name, value] pairs. */
static void add_folder(struct session *s, const char *folder, struct value *sxp)
{
    char **names = NULL, *text = NULL;
    size_t count = 0;

    if (xsc_directory(s->xs, XSC_NO_TX, folder, &names, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (xsc_readf(s->xs, XSC_NO_TX, &text, "%s/%s", folder, names[i]) == 0) {
            if (sxp_child(sxp, names[i], 0) == NULL) {
                sxp_add_string(sxp, names[i], text);
            }
            free(text);
        }
    }
    free(names);
}

struct value *device_list(struct session *s, const struct domain *d, const char *class)
{
    struct value *list = value_list();
    uint32_t *ids;
    size_t n = device_ids(s, d->rec.domid, class, &ids);

    for (size_t i = 0; i < n; i++) {
        auto_str front = xprintf("/local/domain/%d/device/%s/%u", d->rec.domid, class, ids[i]);
        auto_str back = xprintf("/local/domain/0/backend/%s/%d/%u", class, d->rec.domid, ids[i]);
        struct value *item = value_list(), *pairs = value_list();

        add_folder(s, front, pairs);
        sxp_add_string(pairs, "be-path", back);
        add_folder(s, back, pairs);
        list_add(item, value_int(ids[i]));
        list_add(item, pairs);
        list_add(list, item);
    }
    free(ids);
    return list;
}
