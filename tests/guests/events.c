/*
 * FIFO event channels as a guest kernel may use and misuse them. Proves:
 *
 *   - a port that is closed while it still is on a queue is not given out again, but is when the
 *     guest has taken it off: no port is lost;
 *   - links, tails and the ready word may be written by the guest as it likes, and events on other
 *     ports arrive all the same.
 */
#include "guest.h"

#define ROUNDS 2000u
#define WORDS  1024u

static struct evtchn_fifo_control_block *control;
static event_word_t *array;

static long event_op(unsigned int cmd, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, cmd, arg);
}

static evtchn_port_t bind_ipi(void)
{
    struct evtchn_bind_ipi b = {.vcpu = 0};

    return event_op(EVTCHNOP_bind_ipi, &b) == 0 ? b.port : 0;
}

static long send(evtchn_port_t port)
{
    struct evtchn_send s = {.port = port};

    return event_op(EVTCHNOP_send, &s);
}

static long close_port(evtchn_port_t port)
{
    struct evtchn_close c = {.port = port};

    return event_op(EVTCHNOP_close, &c);
}

static bool start_fifo(void)
{
    struct evtchn_init_control i = {.vcpu = 0};
    struct evtchn_expand_array e;

    control = alloc_page();
    array = alloc_page();
    i.control_gfn = virt_to_mfn(control);
    e.array_gfn = virt_to_mfn(array);
    return event_op(EVTCHNOP_init_control, &i) == 0 && event_op(EVTCHNOP_expand_array, &e) == 0;
}

static bool word_has(evtchn_port_t port, unsigned int bit)
{
    return (*(volatile event_word_t *)&array[port] >> bit) & 1;
}

static void test_linked(void)
{
    evtchn_port_t first = bind_ipi(), second, third;

    tap_ok(first != 0 && send(first) == 0 && word_has(first, EVTCHN_FIFO_LINKED),
           "an event puts its port on a queue");
    tap_is(close_port(first), 0, "where it is when it is closed");
    second = bind_ipi();
    tap_ok(second != 0 && second != first, "so that it is not given out again");
    array[first] = 0;
    control->head[EVTCHN_FIFO_PRIORITY_DEFAULT] = 0;
    third = bind_ipi();
    tap_is(third, first, "but is when it has been taken off");
    (void)close_port(second);
    (void)close_port(third);
}

/* A queue that the guest scribbles on, and one that it does not. */
static void test_scribble(void)
{
    struct evtchn_set_priority p = {.priority = 3};
    evtchn_port_t noise[4], clean = bind_ipi();
    unsigned int lost = 0;

    p.port = clean;
    tap_is(event_op(EVTCHNOP_set_priority, &p), 0, "a port gets a queue of its own");
    for (unsigned int i = 0; i < 4; i++) {
        noise[i] = bind_ipi();
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        evtchn_port_t n = noise[guest_random() % 4];

        (void)send(n);
        array[n] = (event_word_t)guest_random();
        array[guest_random() % 4 == 0 ? noise[0] : noise[1]] |= 1u << EVTCHN_FIFO_LINKED;
        control->head[EVTCHN_FIFO_PRIORITY_DEFAULT] = (uint32_t)guest_random();
        control->ready = 0;
        (void)send(clean);
        lost += !word_has(clean, EVTCHN_FIFO_PENDING) || control->head[3] != clean ||
                !(control->ready & (1u << 3));
        array[clean] = 0;
    }
    tap_is(lost, 0, "%u events arrive beside a queue that is scribbled on", ROUNDS);
}

void test_main(void)
{
    if (!start_fifo()) {
        tap_bail_out("no FIFO events");
    }
    memset(control->head, 0, sizeof(control->head));
    for (unsigned int i = 0; i < WORDS; i++) {
        array[i] = 0;
    }
    test_linked();
    test_scribble();
}
