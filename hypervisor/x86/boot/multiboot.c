/*
 * Copies what the loader left in memory - command line, modules' places, memory map - into the
 * image, so that the loader's memory is free for use. Runs on the boot page tables: everything the
 * loader passes lies below 4 GiB, which the direct map covers.
 */
#include <hospes/lib.h>
#include <arch/layout.h>
#include "memory_map.h"
#include "multiboot.h"

struct boot_info boot_info __initdata;
static uint8_t rsdp_copy[36] __initdata;

static const void *__init low(uint32_t pa)
{
    return (const void *)(DIRECTMAP_START + pa);
}

/*
 * GRUB 2 passes the arguments alone; other loaders put the file's name in front. QEMU calls itself
 * "qemu" and is one of those.
 */
static void __init drop_file_name(char *cmdline)
{
    const char *p = cmdline;

    if (strncmp(boot_info.loader, "GRUB ", 5) == 0 && boot_info.loader[5] != '0') {
        return;
    }
    while (*p != '\0' && *p != ' ') {
        p++;
    }
    while (*p == ' ') {
        p++;
    }
    memmove(cmdline, p, strlen(p) + 1);
}

static void __init add_module(uint32_t start, uint32_t end, const char *cmdline)
{
    unsigned int n = boot_info.nr_modules;

    if (n == BOOT_MODULES_MAX) {
        boot_info.too_many_modules = true;
        return;
    }
    strlcpy(boot_info.module_cmdline[n], cmdline, sizeof(boot_info.module_cmdline[n]));
    boot_info.module[n] = (struct boot_module){.start = paddr(start),
                                               .size = end > start ? end - start : 0,
                                               .cmdline = boot_info.module_cmdline[n]};
    boot_info.nr_modules++;
}

static void __init parse_mb1_mmap(const struct mb1_info *mbi)
{
    uint32_t at = mbi->mmap_addr, end = at + mbi->mmap_length;

    while (at < end) {
        struct mb1_mmap e;

        memcpy(&e, low(at), sizeof(e));
        memory_map_add(e.addr, e.len, e.type);
        at += e.size + 4;
    }
}

static void __init parse_mb1(uint32_t info)
{
    struct mb1_info mbi;

    memcpy(&mbi, low(info), sizeof(mbi));
    if (mbi.flags & MB1_INFO_CMDLINE) {
        strlcpy(boot_info.cmdline, low(mbi.cmdline), sizeof(boot_info.cmdline));
    }
    if (mbi.flags & MB1_INFO_LOADER) {
        strlcpy(boot_info.loader, low(mbi.loader_name), sizeof(boot_info.loader));
    }
    if (mbi.flags & MB1_INFO_MMAP) {
        parse_mb1_mmap(&mbi);
    } else if (mbi.flags & MB1_INFO_MEMORY) {
        memory_map_add(0, (uint64_t)mbi.mem_lower << 10, E820_RAM);
        memory_map_add(0x100000, (uint64_t)mbi.mem_upper << 10, E820_RAM);
    }
    for (uint32_t i = 0; (mbi.flags & MB1_INFO_MODULES) && i < mbi.mods_count; i++) {
        struct mb1_module m;

        memcpy(&m, low(mbi.mods_addr + i * (uint32_t)sizeof(m)), sizeof(m));
        add_module(m.start, m.end, m.cmdline ? low(m.cmdline) : "");
    }
}

static void __init parse_mb2_mmap(const struct mb2_tag *tag)
{
    const char *at = tag->mmap.entries, *end = (const char *)tag + tag->size;

    while (at + sizeof(struct mb2_mmap) <= end && tag->mmap.entry_size != 0) {
        struct mb2_mmap e;

        memcpy(&e, at, sizeof(e));
        memory_map_add(e.addr, e.len, e.type);
        at += tag->mmap.entry_size;
    }
}

static void __init copy_rsdp(const struct mb2_tag *tag)
{
    size_t n = tag->size - 8;

    if (boot_info.rsdp != 0 && tag->type == MB2_TAG_ACPI_OLD) {
        return; /* the new one is better */
    }
    memcpy(rsdp_copy, tag->rsdp, n < sizeof(rsdp_copy) ? n : sizeof(rsdp_copy));
    boot_info.rsdp = __pa_image(rsdp_copy);
}

static void __init parse_mb2(uint32_t info)
{
    uint32_t at = info + 8, total;

    memcpy(&total, low(info), sizeof(total));
    while (at + 8 <= info + total) {
        const struct mb2_tag *tag = low(at);

        switch (tag->type) {
        case MB2_TAG_END:
            return;
        case MB2_TAG_CMDLINE:
            strlcpy(boot_info.cmdline, tag->text, sizeof(boot_info.cmdline));
            break;
        case MB2_TAG_LOADER:
            strlcpy(boot_info.loader, tag->text, sizeof(boot_info.loader));
            break;
        case MB2_TAG_MODULE:
            add_module(tag->module.start, tag->module.end, tag->module.cmdline);
            break;
        case MB2_TAG_MMAP:
            parse_mb2_mmap(tag);
            break;
        case MB2_TAG_ACPI_OLD:
        case MB2_TAG_ACPI_NEW:
            copy_rsdp(tag);
            break;
        default:
            break;
        }
        if (tag->size < 8) {
            return;
        }
        at += ROUNDUP(tag->size, 8u);
    }
}

void __init multiboot_parse(uint32_t magic, uint32_t info)
{
    if (magic == MB1_LOADER_MAGIC) {
        parse_mb1(info);
    } else if (magic == MB2_LOADER_MAGIC) {
        parse_mb2(info);
    }
    drop_file_name(boot_info.cmdline);
    for (unsigned int i = 0; i < boot_info.nr_modules; i++) {
        drop_file_name(boot_info.module_cmdline[i]);
    }
    memory_map_sanitise();
}
