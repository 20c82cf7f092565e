/*
 * Plans as data. Contract: plan.h.
 */
#include "network/plan.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_STEPS 1000 /* in a journal */

int64_t plan_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec;
}

void plan_step(struct plan *plan, unsigned number, char *text, char *back)
{
    plan->steps = xrealloc(plan->steps, (plan->count + 1) * sizeof(*plan->steps));
    plan->steps[plan->count++] = (struct step){number, text, back, {NULL, 0}};
}

struct changes *plan_changes(struct plan *plan)
{
    return &plan->steps[plan->count - 1].changes;
}

static void reverse_step(struct step *step)
{
    struct changes *cs = &step->changes;
    char *text = step->text;

    step->text = step->back;
    step->back = text;
    for (size_t i = 0; i < cs->count; i++) {
        change_reverse(&cs->list[i]);
    }
    for (size_t i = 0; i < cs->count / 2; i++) {
        struct change c = cs->list[i];

        cs->list[i] = cs->list[cs->count - 1 - i];
        cs->list[cs->count - 1 - i] = c;
    }
}

void plan_reverse(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        reverse_step(&plan->steps[i]);
    }
    for (size_t i = 0; i < plan->count / 2; i++) {
        struct step step = plan->steps[i];

        plan->steps[i] = plan->steps[plan->count - 1 - i];
        plan->steps[plan->count - 1 - i] = step;
    }
}

void plan_finish(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->steps[i].text);
        free(plan->steps[i].back);
        changes_free(&plan->steps[i].changes);
    }
    free(plan->steps);
    free(plan->title);
    memset(plan, 0, sizeof(*plan));
}

static struct value *write_step(const struct step *step, struct link_names *names)
{
    struct value *v = value_dict(), *changes = value_list(), *details = value_list();

    for (size_t i = 0; i < step->changes.count; i++) {
        list_add(changes, change_write(&step->changes.list[i]));
        /* What is only made sure of is not worth a sentence. */
        if (names != NULL && !str_eq(step->changes.list[i].before, step->changes.list[i].after)) {
            list_add(details, value_take(change_describe(names, &step->changes.list[i])));
        }
    }
    dict_set(v, "number", value_int(step->number));
    dict_set(v, "text", value_string(step->text));
    dict_set(v, "back", value_string(step->back));
    dict_set(v, "changes", changes);
    if (names != NULL) {
        dict_set(v, "details", details);
    } else {
        value_free(details);
    }
    return v;
}

struct value *plan_write(const struct plan *plan, struct netlink *nl)
{
    struct value *v = value_dict(), *steps = value_list();
    auto_link_names names = {NULL, 0};
    char *asked = probe_describe(&plan->probe);

    if (nl != NULL) {
        link_names_take(nl, &names);
    }
    dict_set(v, "title", value_string(plan->title));
    dict_set(v, "made", value_int(plan->made));
    dict_set(v, "probe", probe_write(&plan->probe));
    dict_set(v, "asked", value_take(asked));
    for (size_t i = 0; i < plan->count; i++) {
        list_add(steps, write_step(&plan->steps[i], nl ? &names : NULL));
    }
    dict_set(v, "steps", steps);
    return v;
}

static int read_step(const struct value *v, struct plan *plan, struct error *err)
{
    const struct value *changes = dict_get(v, "changes");
    int64_t number;
    int rc = 0;

    if (value_to_int(dict_get(v, "number"), &number) != 0 || changes == NULL ||
        changes->type != VALUE_LIST) {
        return fail(err, EINVAL, "A step in the journal can't be read.");
    }
    plan_step(plan, (unsigned)number, xstrdup(value_text(dict_get(v, "text"), "")),
              xstrdup(value_text(dict_get(v, "back"), "")));
    for (size_t i = 0; rc == 0 && i < changes->count; i++) {
        rc = change_read(changes->items[i], plan_changes(plan), err);
    }
    return rc;
}

int plan_read(const struct value *v, struct plan *plan, struct error *err)
{
    const struct value *steps = dict_get(v, "steps");
    int rc = 0;

    memset(plan, 0, sizeof(*plan));
    if (steps == NULL || steps->type != VALUE_LIST || steps->count > MAX_STEPS ||
        value_to_int(dict_get(v, "made"), &plan->made) != 0) {
        return fail(err, EINVAL, "The journal has no plan.");
    }
    str_set(&plan->title, value_text(dict_get(v, "title"), "A plan"));
    for (size_t i = 0; rc == 0 && i < steps->count; i++) {
        rc = read_step(steps->items[i], plan, err);
    }
    return rc;
}
