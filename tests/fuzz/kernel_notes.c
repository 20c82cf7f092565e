/*
 * kernel_notes.c: fuzzes a block of ELF notes, and the same bytes as the older text.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/libxenctrl/kernel.h"

static void check_ends(const struct xc_guest_notes *n)
{
    FUZZ_CHECK(strnlen(n->os, sizeof(n->os)) < sizeof(n->os));
    FUZZ_CHECK(strnlen(n->version, sizeof(n->version)) < sizeof(n->version));
    FUZZ_CHECK(strnlen(n->loader, sizeof(n->loader)) < sizeof(n->loader));
    FUZZ_CHECK(strnlen(n->xen_version, sizeof(n->xen_version)) < sizeof(n->xen_version));
    FUZZ_CHECK(strnlen(n->unknown_feature, sizeof(n->unknown_feature)) <
               sizeof(n->unknown_feature));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xc_guest_notes notes = {0}, legacy = {0};
    unsigned int budget = XC_MOST_NOTES;

    xc_notes_block(data, size, &budget, &notes);
    check_ends(&notes);
    xc_notes_legacy((const char *)data, size, &legacy);
    check_ends(&legacy);
    return 0;
}

uint8_t *fuzz_seed(unsigned int i, size_t *size)
{
    static const char text[] =
        "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,"
        "FEATURES=a|!b|writable_page_tables,HYPERCALL_PAGE=0x2,LOADER=generic";
    const struct kernel_options options = {0};
    uint8_t *seed;

    if (i > 1) {
        return NULL;
    }
    if (i == 1) {
        *size = sizeof(text);
        seed = malloc(sizeof(text));
        memcpy(seed, text, sizeof(text));
        return seed;
    }
    seed = kernel_elf(&options, size);
    memmove(seed, seed + 0x200, 0x400); /* where its notes are */
    *size = 0x180;
    return seed;
}
