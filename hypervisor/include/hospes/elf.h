/* The parts of 64-bit little-endian ELF that loading a kernel takes. Source: "ELF-64 Object File
 * Format". */
#ifndef HOSPES_ELF_H
#define HOSPES_ELF_H

#include <hospes/types.h>

typedef struct {
    uint8_t e_ident[16];
    uint16_t e_type, e_machine;
    uint32_t e_version;
    uint64_t e_entry, e_phoff, e_shoff;
    uint32_t e_flags;
    uint16_t e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
} elf64_ehdr_t;

typedef struct {
    uint32_t p_type, p_flags;
    uint64_t p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
} elf64_phdr_t;

typedef struct {
    uint32_t n_namesz, n_descsz, n_type;
} elf64_nhdr_t;

#define ELF_CLASS64   2
#define ELF_DATA_LSB  1
#define ELF_EM_X86_64 62
#define ELF_PT_LOAD   1
#define ELF_PT_NOTE   4

_Static_assert(sizeof(elf64_ehdr_t) == 64 && sizeof(elf64_phdr_t) == 56, "ELF layouts");

#endif
