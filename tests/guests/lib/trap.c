/* Traps of a test kernel, and the accesses that may fault. */
#include "guest.h"

struct fault last_fault;
bool (*trap_hook)(struct trap_frame *frame);
void (*event_hook)(void);

void guest_traps_init(void);
void guest_trap(struct trap_frame *frame);
extern char trap_entries[], event_entry[], failsafe_entry[];
extern const struct {
    unsigned long from, to;
} guest_ex_table[], guest_ex_table_end[];

static unsigned long fixup_of(unsigned long rip)
{
    for (unsigned int i = 0; &guest_ex_table[i] < guest_ex_table_end; i++) {
        if (guest_ex_table[i].from == rip) {
            return guest_ex_table[i].to;
        }
    }
    return 0;
}

void guest_trap(struct trap_frame *frame)
{
    unsigned long fixup;

    if (frame->vector == 0x100) {
        if (event_hook) {
            event_hook();
        }
        return;
    }
    if (trap_hook && trap_hook(frame)) {
        return;
    }
    fixup = fixup_of(frame->rip);
    if (fixup == 0) {
        tap_bail_out("trap %lu error %lx at %lx cr2 %lx rsp %lx", frame->vector, frame->error,
                     frame->rip, shared_info ? shared_info->vcpu_info[0].arch.cr2 : 0, frame->rsp);
    }
    last_fault.happened = true;
    last_fault.vector = (unsigned int)frame->vector;
    last_fault.error = (unsigned int)frame->error;
    last_fault.cr2 = shared_info ? shared_info->vcpu_info[0].arch.cr2 : 0;
    frame->rip = fixup;
}

void guest_traps_init(void)
{
    static struct trap_info table[33];

    for (unsigned int i = 0; i < 32; i++) {
        table[i].vector = (uint8_t)i;
        table[i].flags = i == 3 || i == 4 ? 3 : 0;
        table[i].cs = FLAT_KERNEL_CS;
        table[i].address = (unsigned long)trap_entries + i * 32;
    }
    if (hypercall(__HYPERVISOR_set_trap_table, table) != 0 ||
        hypercall(__HYPERVISOR_set_callbacks, event_entry, failsafe_entry, 0) != 0) {
        tap_bail_out("no trap table");
    }
}

struct fault probe_read(const volatile void *va, uint64_t *out)
{
    uint64_t v = 0;

    last_fault.happened = false;
    __asm__ volatile("1: mov (%[va]), %[v]\n2:\n" GUEST_EX(1b, 2b)
                     : [v] "+r"(v)
                     : [va] "r"(va)
                     : "memory");
    if (out) {
        *out = v;
    }
    return last_fault;
}

struct fault probe_write(volatile void *va, uint64_t val)
{
    last_fault.happened = false;
    __asm__ volatile("1: mov %[v], (%[va])\n2:\n" GUEST_EX(1b, 2b)::[v] "r"(val), [va] "r"(va)
                     : "memory");
    return last_fault;
}

/* The fetch faults at va itself, where no table knows it: the hook does. */
static unsigned long exec_va, exec_back;

static bool exec_hook(struct trap_frame *frame)
{
    if (frame->rip != exec_va) {
        return false;
    }
    last_fault.happened = true;
    last_fault.vector = (unsigned int)frame->vector;
    last_fault.error = (unsigned int)frame->error;
    last_fault.cr2 = shared_info->vcpu_info[0].arch.cr2;
    frame->rip = exec_back;
    frame->rsp += 8; /* the call's return address */
    return true;
}

struct fault probe_exec(const void *va)
{
    last_fault.happened = false;
    exec_va = (unsigned long)va;
    trap_hook = exec_hook;
    __asm__ volatile("lea 1f(%%rip), %%rax\n"
                     "mov %%rax, %[back]\n"
                     "call *%[va]\n"
                     "1:\n"
                     : [back] "=m"(exec_back)
                     : [va] "r"(va)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
    trap_hook = NULL;
    return last_fault;
}
