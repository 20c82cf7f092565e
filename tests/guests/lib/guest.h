/*
 * The small runtime of our own PV test kernels: started by the hypervisor in the place of Domain
 * 0's Linux, printing TAP on the console. A test is one C file with `void test_main(void)`; it
 * opens with a comment that says what it proves. After the last tap_ok it returns: the runtime
 * prints the plan.
 *
 * Everything that may fault is done by the probe_ functions, or by assembly with an exception table
 * entry (GUEST_EX). Any other fault is a bail-out with registers.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/vcpu.h>
#include <xen/sched.h>
#include <xen/memory.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include "guest_asm.h"

void test_main(void);

/* ---- output ---- */
void print(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* %d %u %x %lx %lu %s %c %p */
/* One test point. */
void tap_ok(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tap_skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* rc == want, saying both when not. */
void tap_is(long rc, long want, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The machine or the test is broken: stops everything. */
void tap_bail_out(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- memory ---- */
#define PAGE_SIZE 4096ul
extern struct start_info *start_info;
extern struct shared_info *shared_info; /* mapped before test_main */
extern unsigned long guest_features;    /* of the command line: see guest_option */

static inline unsigned long virt_to_pfn(const void *va)
{
    return ((unsigned long)va - GUEST_VIRT_BASE) >> 12;
}
unsigned long pfn_to_mfn(unsigned long pfn);
static inline unsigned long virt_to_mfn(const void *va)
{
    return pfn_to_mfn(virt_to_pfn(va));
}
static inline unsigned long virt_to_maddr(const void *va)
{
    return (virt_to_mfn(va) << 12) | ((unsigned long)va & 0xfff);
}
/* The kernel's own mapping of one of its frames (through the machine-to-physical table). */
void *mfn_to_virt(unsigned long mfn);
/* A cleared, page-aligned, writable page of the kernel's; bails out when there are no more (256).
 */
void *alloc_page(void);
/* The page-table entry of `level` (1..4) that is used for va, in the read-only mapping of the
 * running tables; NULL when a level above is absent. */
uint64_t *pte_of(const void *va, unsigned int level);

#define PTE_P      0x001ull
#define PTE_RW     0x002ull
#define PTE_US     0x004ull
#define PTE_A      0x020ull
#define PTE_D      0x040ull
#define PTE_PS     0x080ull
#define PTE_NX     (1ull << 63)
#define PTE_MFN(e) (((e)&0x000ffffffffff000ull) >> 12)
static inline uint64_t make_pte(unsigned long mfn, uint64_t flags)
{
    return ((uint64_t)mfn << 12) | flags;
}

/* Changes the level-1 entry of va (update_va_mapping with a local invlpg). 0 or -errno. */
long remap(const void *va, uint64_t pte);
/* Our grant table of one frame, version 1, at a new page. Bails out when that does not work. */
grant_entry_v1_t *map_grant_table(void);
/* Makes the page read-only (true: removes write access; false: gives it back). */
long set_readonly(const void *va, bool readonly);
/* mmu_update of one entry; mmuext_op with one operation. */
long mmu_update1(uint64_t ptr, uint64_t val);
long mmuext1(unsigned int cmd, unsigned long arg1, unsigned long arg2);

/* ---- faults ---- */
struct fault {
    bool happened;
    unsigned int vector, error;
    unsigned long cr2;
};
struct trap_frame {
    unsigned long rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15;
    unsigned long vector, error, rip, cs, rflags, rsp, ss;
};
#define GUEST_EX(from, to) ".pushsection .ex_table, \"a\"\n.quad " #from ", " #to "\n.popsection\n"
extern struct fault last_fault; /* written before a fixup of GUEST_EX is taken (vcpu 0's) */
struct fault probe_read(const volatile void *va, uint64_t *out); /* 8 bytes */
struct fault probe_write(volatile void *va, uint64_t val);       /* 8 bytes */
struct fault probe_exec(const void *va);                         /* calls it */
/* Called for faults without a fixup, when set; true: handled, go on at frame->rip. */
extern bool (*trap_hook)(struct trap_frame *frame);
extern void (*event_hook)(void); /* the event callback */

/* ---- other vcpus ---- */
/* What a vcpu begins with: in fn, in kernel mode, on the stack that ends at `stack`, with the top
 * table in frame `base` and our handlers of traps and events. */
void vcpu_context(struct vcpu_guest_context *c, void (*fn)(void), void *stack, unsigned long base);
/* Starts vcpu `id` in fn on its own stack with the running page tables; 0 or -errno. When fn
 * returns, the vcpu yields for ever. */
long start_vcpu(unsigned int id, void (*fn)(void));
#define GUEST_MAX_VCPUS 8u
static inline void pause_cpu(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* ---- hypercalls ---- */
extern char hypercall_page[];
static inline long hypercall5(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3,
                              unsigned long a4, unsigned long a5)
{
    register unsigned long r10 __asm__("r10") = a4, r8 __asm__("r8") = a5;
    long rc;

    __asm__ volatile("call *%[page]"
                     : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     : [page] "0"(hypercall_page + nr * 32)
                     : "rcx", "r11", "memory");
    return rc;
}
#define HC_(nr, a, b, c, d, e, ...)                                                                \
    hypercall5(nr, (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), (unsigned long)(d), \
               (unsigned long)(e))
/* hypercall(nr, up to 5 arguments) */
#define hypercall(nr, ...) HC_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0)

/* ---- the library ---- */
void *memcpy(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
/* A word of the command line, "name" or "name=...": the text behind '='; NULL: not there. */
const char *guest_option(const char *name);
/* xorshift; the seed is fixed, so runs repeat. */
uint64_t guest_random(void);

#endif
