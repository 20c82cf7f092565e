/* The runtime: output, memory, other vcpus. Traps are in trap.c. Read guest.h first. */
#include "guest.h"

struct start_info *start_info;
struct shared_info *shared_info;
static unsigned int nr_ok, nr_failed;

void guest_start(struct start_info *si);
void guest_traps_init(void);
extern char secondary_start[], trap_entries[], event_entry[], failsafe_entry[];

/* ---- library ---- */

void *memcpy(void *d, const void *s, size_t n)
{
    void *ret = d;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
    return ret;
}

void *memset(void *d, int c, size_t n)
{
    void *ret = d;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n && *x == *y; n--, x++, y++) {
    }
    return n ? *x - *y : 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n]) {
        n++;
    }
    return n;
}

uint64_t guest_random(void)
{
    static uint64_t x = 0x9e3779b97f4a7c15ull;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

const char *guest_option(const char *name)
{
    const char *p = (const char *)start_info->cmd_line;
    size_t n = strlen(name);

    while (*p) {
        if (memcmp(p, name, n) == 0 && (p[n] == '=' || p[n] == ' ' || p[n] == '\0')) {
            return p[n] == '=' ? p + n + 1 : p + n;
        }
        while (*p && *p != ' ') {
            p++;
        }
        while (*p == ' ') {
            p++;
        }
    }
    return NULL;
}

/* ---- output ---- */

struct out {
    char text[256];
    unsigned int n;
};

static void put(struct out *o, char c)
{
    if (o->n < sizeof(o->text)) {
        o->text[o->n++] = c;
    }
}

static void put_number(struct out *o, uint64_t v, unsigned int base, bool negative)
{
    char digits[24];
    unsigned int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (negative) {
        put(o, '-');
    }
    while (n) {
        put(o, digits[--n]);
    }
}

static void put_string(struct out *o, const char *s)
{
    while (*s) {
        put(o, *s++);
    }
}

static void format(struct out *o, const char *fmt, va_list args)
{
    for (; *fmt; fmt++) {
        unsigned int longs = 0;
        int64_t v;

        if (*fmt != '%') {
            put(o, *fmt);
            continue;
        }
        for (fmt++; *fmt == 'l' || *fmt == 'z' || *fmt == '#'; fmt++) {
            longs += *fmt != '#';
        }
        switch (*fmt) {
        case 'd':
            v = longs ? va_arg(args, long) : va_arg(args, int);
            put_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
            break;
        case 'u':
            put_number(o, longs ? va_arg(args, unsigned long) : va_arg(args, unsigned int), 10,
                       false);
            break;
        case 'p':
            longs = 1;
            /* fall through */
        case 'x':
            put_string(o, "0x");
            put_number(o, longs ? va_arg(args, unsigned long) : va_arg(args, unsigned int), 16,
                       false);
            break;
        case 's':
            put_string(o, va_arg(args, const char *));
            break;
        case 'c':
            put(o, (char)va_arg(args, int));
            break;
        default:
            put(o, *fmt);
            break;
        }
    }
}

static void flush(struct out *o)
{
    hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, o->n, o->text);
    o->n = 0;
}

void print(const char *fmt, ...)
{
    struct out o = {.n = 0};
    va_list args;

    va_start(args, fmt);
    format(&o, fmt, args);
    va_end(args);
    flush(&o);
}

static void result(bool ok, const char *fmt, va_list args, const char *suffix)
{
    struct out o = {.n = 0};

    put_string(&o, ok ? "ok " : "not ok ");
    put_number(&o, ++nr_ok, 10, false);
    put_string(&o, " - ");
    format(&o, fmt, args);
    put_string(&o, suffix);
    put(&o, '\n');
    flush(&o);
    nr_failed += !ok;
}

void tap_ok(bool ok, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(ok, fmt, args, "");
    va_end(args);
}

void tap_skip(const char *why, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(true, fmt, args, " # SKIP ");
    va_end(args);
    print("# %s\n", why);
}

void tap_is(long rc, long want, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(rc == want, fmt, args, "");
    va_end(args);
    if (rc != want) {
        print("#   got %ld, expected %ld\n", rc, want);
    }
}

static void power_off(void) __attribute__((noreturn));
static void power_off(void)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_reboot}; /* Xen itself cannot power off */

    for (;;) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &s);
    }
}

void tap_bail_out(const char *fmt, ...)
{
    struct out o = {.n = 0};
    va_list args;

    put_string(&o, "Bail out! ");
    va_start(args, fmt);
    format(&o, fmt, args);
    va_end(args);
    put(&o, '\n');
    flush(&o);
    power_off();
}

/* ---- memory ---- */

#define POOL_PAGES 256u
static uint8_t pool[POOL_PAGES][4096] __attribute__((aligned(4096)));
static unsigned int pool_used;
static uint8_t shared_info_window[4096] __attribute__((aligned(4096)));

unsigned long pfn_to_mfn(unsigned long pfn)
{
    return ((unsigned long *)start_info->mfn_list)[pfn];
}

void *mfn_to_virt(unsigned long mfn)
{
    unsigned long pfn = ((unsigned long *)MACH2PHYS_VIRT_START)[mfn];

    return (void *)(GUEST_VIRT_BASE + (pfn << 12));
}

void *alloc_page(void)
{
    if (pool_used == POOL_PAGES) {
        tap_bail_out("the test takes too many pages");
    }
    return pool[pool_used++];
}

uint64_t *pte_of(const void *va, unsigned int level)
{
    uint64_t *table = (uint64_t *)start_info->pt_base;

    for (unsigned int l = 4;; l--) {
        uint64_t *e = &table[((unsigned long)va >> (12 + 9 * (l - 1))) & 511];

        if (l == level) {
            return e;
        }
        if (!(*e & PTE_P)) {
            return NULL;
        }
        table = mfn_to_virt(PTE_MFN(*e));
    }
}

long remap(const void *va, uint64_t pte)
{
    return hypercall(__HYPERVISOR_update_va_mapping, va, pte, UVMF_INVLPG | UVMF_LOCAL);
}

long set_readonly(const void *va, bool readonly)
{
    uint64_t flags = PTE_P | PTE_A | PTE_D | PTE_US | (readonly ? 0 : PTE_RW);

    return remap(va, make_pte(virt_to_mfn(va), flags));
}

long mmu_update1(uint64_t ptr, uint64_t val)
{
    struct mmu_update u = {.ptr = ptr, .val = val};

    return hypercall(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF);
}

long mmuext1(unsigned int cmd, unsigned long arg1, unsigned long arg2)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.linear_addr = arg1;
    memcpy(&op.arg2, &arg2, sizeof(arg2));
    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

grant_entry_v1_t *map_grant_table(void)
{
    unsigned long frame = 0;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    void *page = alloc_page();

    s.frame_list.p = &frame;
    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, 1) != 0 ||
        s.status != GNTST_okay) {
        tap_bail_out("no grant table");
    }
    if (remap(page, make_pte(frame, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)) != 0) {
        tap_bail_out("the grant table's frame cannot be mapped");
    }
    return page;
}

/* ---- other vcpus ---- */

static uint8_t stacks[GUEST_MAX_VCPUS][16384] __attribute__((aligned(4096)));

void vcpu_context(struct vcpu_guest_context *c, void (*fn)(void), void *stack, unsigned long base)
{
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_IN_KERNEL;
    c->user_regs.rip = (unsigned long)secondary_start;
    c->user_regs.rdi = (unsigned long)fn;
    c->user_regs.rsp = (unsigned long)stack - 8;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = base << 12;
    c->event_callback_eip = (unsigned long)event_entry;
    c->failsafe_callback_eip = (unsigned long)failsafe_entry;
    for (unsigned int i = 0; i < 32; i++) {
        c->trap_ctxt[i].vector = (uint8_t)i;
        c->trap_ctxt[i].cs = FLAT_KERNEL_CS;
        c->trap_ctxt[i].address = (unsigned long)trap_entries + i * 32;
    }
}

long start_vcpu(unsigned int id, void (*fn)(void))
{
    static struct vcpu_guest_context ctxt;
    long rc;

    vcpu_context(&ctxt, fn, stacks[id + 1 < GUEST_MAX_VCPUS ? id + 1 : 0],
                 virt_to_mfn((void *)start_info->pt_base));
    rc = hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, id, &ctxt);
    return rc ? rc : hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, id, 0);
}

/* ---- the beginning and the end ---- */

void guest_start(struct start_info *si)
{
    start_info = si;
    guest_traps_init();
    if (remap(shared_info_window, si->shared_info | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_US) != 0) {
        tap_bail_out("the shared info page cannot be mapped");
    }
    shared_info = (struct shared_info *)shared_info_window;
    test_main();
    print("1..%u\n", nr_ok);
    power_off();
}
