/* What multiboot loaders pass. Multiboot 0.6.96, "Boot information format"; Multiboot2, same title.
 */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include <arch/boot.h>

#define MB1_LOADER_MAGIC 0x2badb002u
#define MB2_LOADER_MAGIC 0x36d76289u

#define MB1_INFO_MEMORY  BIT(0)
#define MB1_INFO_CMDLINE BIT(2)
#define MB1_INFO_MODULES BIT(3)
#define MB1_INFO_MMAP    BIT(6)
#define MB1_INFO_LOADER  BIT(9)

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};
struct mb1_module {
    uint32_t start, end, cmdline, reserved;
};
struct mb1_mmap {
    uint32_t size; /* of the rest */
    uint64_t addr, len;
    uint32_t type;
} __packed;

enum {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_LOADER = 2,
    MB2_TAG_MODULE = 3,
    MB2_TAG_MMAP = 6,
    MB2_TAG_ACPI_OLD = 14,
    MB2_TAG_ACPI_NEW = 15,
};
struct mb2_tag {
    uint32_t type, size;
    union {
        char text[0];
        struct {
            uint32_t start, end;
            char cmdline[0];
        } module;
        struct {
            uint32_t entry_size, entry_version;
            char entries[0];
        } mmap;
        uint8_t rsdp[0];
    };
};
struct mb2_mmap {
    uint64_t addr, len;
    uint32_t type, zero;
};

#define BOOT_MODULES_MAX 8u
struct boot_info {
    char cmdline[1024], loader[64];
    char module_cmdline[BOOT_MODULES_MAX][1024];
    struct boot_module module[BOOT_MODULES_MAX];
    unsigned int nr_modules;
    uint64_t rsdp; /* physical address of a copy; 0: look for it */
    bool too_many_modules;
};
extern struct boot_info boot_info;

/* Copies everything out of the loader's memory and fills memory_map. Panics on a foreign loader. */
void multiboot_parse(uint32_t magic, uint32_t info);

#endif
