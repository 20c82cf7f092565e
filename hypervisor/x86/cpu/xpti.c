/*
 * Guests on page tables without the hypervisor (arch/xpti.h): the option, what each CPU needs for
 * it, and the look through a finished table that says whether nothing else got in.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <arch/boot.h>
#include <arch/mm.h>
#include <arch/traps.h>
#include <arch/xpti.h>

bool xpti_on __ro_after_init;
DEFINE_PER_CPU(struct xpti_cpu, xpti_cpu);

/* -1: where the processor needs it. */
static int opt_dom0 __ro_after_init = -1, opt_domu __ro_after_init = -1;

#define TABLE_FLAGS PTE_HYP_TABLE
#define CODE_FLAGS  (PTE_HYP_RX & ~PTE_G)
#define IDT_FLAGS   (PTE_HYP_RO & ~PTE_G)
#define AREA_FLAGS  (PTE_HYP_RW & ~PTE_G)

/* ---- the option ---- */

/* NAME, NAME=bool or no-NAME; -1: something else. */
static int __init named_bool(const char *s, size_t n, const char *name)
{
    size_t len = strlen(name);

    if (n == len + 3 && strncmp(s, "no-", 3) == 0 && strncmp(s + 3, name, len) == 0) {
        return 0;
    }
    if (n < len || strncmp(s, name, len) != 0) {
        return -1;
    }
    if (n == len) {
        return 1;
    }
    return s[len] == '=' && n > len + 1 ? parse_bool(s + len + 1, n - len - 1) : -1;
}

static int __init parse_word(const char *s, size_t n)
{
    int v = parse_bool(s, n);

    if (v >= 0) {
        opt_dom0 = opt_domu = v;
    } else if (n == 7 && strncmp(s, "default", n) == 0) {
        opt_dom0 = opt_domu = -1;
    } else if ((v = named_bool(s, n, "dom0")) >= 0) {
        opt_dom0 = v;
    } else if ((v = named_bool(s, n, "domu")) >= 0) {
        opt_domu = v;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int __init parse_xpti(const char *s)
{
    return *s ? parse_words(s, parse_word) : parse_word(s, 0);
}
custom_param(xpti, "xpti", parse_xpti,
             "page tables of PV guests without the hypervisor: a boolean, default, or a list of "
             "dom0=<bool>, domu=<bool>");

/* ---- set-up ---- */

static void check_roots(char key);

void __init xpti_init(bool vulnerable)
{
    if (opt_dom0 < 0) {
        opt_dom0 = vulnerable;
    }
    if (opt_domu < 0) {
        opt_domu = vulnerable;
    }
    xpti_on = opt_dom0 || opt_domu;
    printk("Speculation: XPTI (page tables of PV guests without the hypervisor): Dom0 %s, DomU %s; "
           "the processor is %s\n",
           opt_dom0 ? "on" : "off", opt_domu ? "on" : "off",
           vulnerable ? "vulnerable to Meltdown" : "not vulnerable to Meltdown");
}

bool xpti_wanted(bool is_hardware)
{
    return is_hardware ? opt_dom0 : opt_domu;
}

/* Puts what va is mapped to into the level 3 table l3, with these flags. */
static int __init map_minimal(pte_t *l3, unsigned long va, pte_t flags)
{
    pte_t *table = l3;

    for (unsigned int level = 3; level > 1; level--) {
        pte_t *e = &table[PT_INDEX(va, level)];

        if (!(*e & PTE_P)) {
            void *below = alloc_xenheap_pages(0, 0);

            if (!below) {
                return -ENOMEM;
            }
            *e = pte_make(virt_to_mfn(below), TABLE_FLAGS);
        }
        table = mfn_to_virt(pte_mfn(*e));
    }
    table[PT_INDEX(va, 1)] = pte_make(paddr_to_mfn(hyp_va_to_pa((const void *)va)), flags);
    return 0;
}

static int __init map_all_minimal(unsigned int cpu, pte_t *l3)
{
    int rc = map_minimal(l3, (unsigned long)idt_table, IDT_FLAGS);

    for (const char *p = _xpti_text_start; p < _xpti_text_end && rc == 0; p += PAGE_SIZE) {
        rc = map_minimal(l3, (unsigned long)p, CODE_FLAGS);
    }
    return rc == 0 ? map_minimal(l3, (unsigned long)xpti_area(cpu), AREA_FLAGS) : rc;
}

int __init xpti_init_cpu(unsigned int cpu)
{
    struct xpti_cpu *x = &per_cpu(xpti_cpu, cpu);
    struct cpu_info *info = (struct cpu_info *)(cpu_stack[cpu] + STACK_SIZE) - 1;
    struct xpti_area *a = xpti_area(cpu);
    pte_t *roots, *l3;
    void *page;

    info->xpti_cr3 = 0;
    info->xpti_frame = 0;
    if (!xpti_on) {
        return 0;
    }
    page = alloc_xenheap_pages(0, 0);
    roots = alloc_xenheap_pages(1, 0);
    l3 = alloc_xenheap_pages(0, 0);
    if (!page || !roots || !l3 ||
        map_hyp_page((unsigned long)a, virt_to_mfn(page), AREA_FLAGS) != 0 ||
        map_all_minimal(cpu, l3) != 0) {
        return -ENOMEM;
    }
    x->minimal = pte_make(virt_to_mfn(l3), TABLE_FLAGS);
    for (unsigned int i = 0; i < 2; i++) {
        x->copy[i] = (struct xpti_copy){.root = roots + i * PTES_PER_TABLE};
    }
    info->xpti_frame = (unsigned long)&a->rax;
    a->roots = virt_to_mfn(roots).v << PAGE_SHIFT;
    a->full_cr3 = idle_cr3().v;
    a->stack = (unsigned long)&info->guest_cpu_user_regs.es;
    for (unsigned int i = 0; i < IST_STACKS; i++) {
        a->ist[i].stack = cpu_stack[cpu] + (i + 1) * PAGE_SIZE;
    }
    if (cpu == 0) {
        keyhandler_register('X', check_roots, "what of the hypervisor is mapped in guests' mode");
    }
    return 0;
}

/* ---- what is in it ---- */

/* May a root of `cpu` have this entry for va? */
static bool belongs(unsigned int cpu, unsigned long va, pte_t e)
{
    pte_t flags;

    if (va >= (unsigned long)_xpti_text_start && va < (unsigned long)_xpti_text_end) {
        flags = CODE_FLAGS;
    } else if (va == (unsigned long)idt_table) {
        flags = IDT_FLAGS;
    } else if (va == (unsigned long)xpti_area(cpu)) {
        flags = AREA_FLAGS;
    } else {
        return false;
    }
    return e == pte_make(paddr_to_mfn(hyp_va_to_pa((const void *)va)), flags);
}

static unsigned int check_table(unsigned int cpu, const pte_t *table, unsigned int level,
                                unsigned long va)
{
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        unsigned long at = va + i * LEVEL_SIZE(level);

        if (!(table[i] & PTE_P)) {
            continue;
        }
        if (level > 1 && !(table[i] & (PTE_PS | PTE_US))) {
            wrong += check_table(cpu, mfn_to_virt(pte_mfn(table[i])), level - 1, at);
        } else if (level > 1 || !belongs(cpu, at, table[i])) {
            printk(LOG_ERR "XPTI: CPU %u has %lx mapped by %016lx\n", cpu, at,
                   (unsigned long)table[i]);
            wrong++;
        }
    }
    return wrong;
}

unsigned int xpti_check_root(unsigned int cpu, const pte_t *root)
{
    unsigned int wrong = 0;

    for (unsigned int i = HYPERVISOR_FIRST_SLOT; i <= HYPERVISOR_LAST_SLOT; i++) {
        unsigned long va = HYP_VIRT_START + (i - HYPERVISOR_FIRST_SLOT) * LEVEL_SIZE(4);

        if (i == PT_INDEX(XEN_VIRT_START, 4)) {
            wrong += check_table(cpu, mfn_to_virt(pte_mfn(root[i])), 3, va);
        } else if (i != PERDOMAIN_SLOT && i != HYPERVISOR_FIRST_SLOT && root[i] != 0) {
            printk(LOG_ERR "XPTI: CPU %u has slot %u: %016lx\n", cpu, i, (unsigned long)root[i]);
            wrong++;
        }
    }
    /* What guests may read, and the windows to descriptor tables: the tables that are shared. */
    if ((root[HYPERVISOR_FIRST_SLOT] ^ boot_l4[HYPERVISOR_FIRST_SLOT]) & ~(PTE_A | PTE_D)) {
        printk(LOG_ERR "XPTI: CPU %u has another machine-to-physical table\n", cpu);
        wrong++;
    }
    return wrong;
}

static void check_roots(char key)
{
    unsigned int cpu;

    (void)key;
    for_each_online_cpu (cpu) {
        const struct xpti_cpu *x = &per_cpu(xpti_cpu, cpu);

        for (unsigned int i = 0; i < 2; i++) {
            if (x->copy[i].generation == 0) {
                printk("XPTI: CPU %u, table of %s: not used yet\n", cpu,
                       i ? "processes" : "kernels");
                continue;
            }
            printk("XPTI: CPU %u, table of %s: %u entries too many\n", cpu,
                   i ? "processes" : "kernels", xpti_check_root(cpu, x->copy[i].root));
        }
    }
}

void xpti_check_guest_cr3(const struct vcpu *v, unsigned int vector)
{
    unsigned int cpu = smp_processor_id();
    unsigned int ist = vector == X86_EXC_NMI ? IST_NMI : vector == X86_EXC_DB ? IST_DB : IST_MCE;
    const struct xpti_area *a = xpti_area(cpu);
    const struct xpti_copy *c = &this_cpu(xpti_cpu).copy[v->arch.kernel_mode ? 0 : 1];

    if (!xpti_on || !v->domain->arch.pv.isolated) {
        return;
    }
    BUG_ON(a->ist[ist - 1].cr3 != virt_to_mfn(c->root).v << PAGE_SHIFT);
    BUG_ON((c->root[PERDOMAIN_SLOT] & PTE_FRAME) != page_to_mfn(v->domain->arch.pv.perdomain_l3).v
                                                        << PAGE_SHIFT);
    BUG_ON(xpti_check_root(cpu, c->root) != 0);
}
