/*
 * The hypercall page of a 64-bit PV guest: 128 entries of 32 bytes. SYSCALL destroys rcx and r11,
 * so they are kept on the guest's stack; iret does not come back and leaves them, with rax, where
 * the iret frame has its place for them (<xen/arch-x86/xen-x86_64.h>).
 */
#include "pv.h"
#include <arch/pv.h>

#define ENTRY_BYTES 32u

void hypercall_page_fill(const struct domain *d, void *va)
{
    static const uint8_t common[] = {
        0x51,                         /* push %rcx */
        0x41, 0x53,                   /* push %r11 */
        0xb8, 0x00, 0x00, 0x00, 0x00, /* mov $nr, %eax */
        0x0f, 0x05,                   /* syscall */
        0x41, 0x5b,                   /* pop %r11 */
        0x59,                         /* pop %rcx */
        0xc3,                         /* ret */
    };
    static const uint8_t iret[] = {
        0x51,       /* push %rcx */
        0x41, 0x53, /* push %r11 */
        0x50,       /* push %rax */
        0xb8, __HYPERVISOR_iret,
        0x00, 0x00,
        0x00,       /* mov $nr, %eax */
        0x0f, 0x05, /* syscall */
    };
    uint8_t *page = va;

    (void)d;
    memset(page, 0xcc, PAGE_SIZE); /* int3 between and behind */
    for (unsigned int nr = 0; nr < PAGE_SIZE / ENTRY_BYTES; nr++) {
        uint8_t *p = page + nr * ENTRY_BYTES;

        if (nr == __HYPERVISOR_iret) {
            memcpy(p, iret, sizeof(iret));
        } else {
            memcpy(p, common, sizeof(common));
            p[4] = (uint8_t)nr;
        }
    }
}
