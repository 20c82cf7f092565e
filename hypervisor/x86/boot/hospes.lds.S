/*
 * The image: linked at XEN_VIRT_START, loaded at XEN_LOAD_PADDR. Code comes first, so that filling
 * in the symbol table (.rodata) in the second pass of the link does not move it.
 */
#define __ASSEMBLY__
#include <arch/layout.h>

#define PAGE 4096

OUTPUT_FORMAT("elf64-x86-64")
OUTPUT_ARCH(i386:x86-64)
ENTRY(start)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
}

SECTIONS
{
    . = XEN_VIRT_START;
    _start = .;
    .text : AT(ADDR(.text) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _stext = .;
        *(.head)
        *(.text.entry)
        *(.text .text.*)
        . = ALIGN(PAGE);
        _etext = .;
    } :text = 0xcccccccc
    .init.text : AT(ADDR(.init.text) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _sinittext = .;
        *(.init.text)
        . = ALIGN(PAGE);
        _einittext = .;
    } :text = 0xcccccccc
    .rodata : AT(ADDR(.rodata) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _srodata = .;
        *(.rodata .rodata.*)
        *(.data.rel.ro .data.rel.ro.*)
        . = ALIGN(8);
        __param_start = .;
        KEEP(*(.param))
        __param_end = .;
        . = ALIGN(8);
        __start___ex_table = .;
        KEEP(*(.ex_table))
        __stop___ex_table = .;
        . = ALIGN(8);
        *(.symtab.table)
        . = ALIGN(PAGE);
        _erodata = .;
    } :rodata
    .data.ro_after_init : AT(ADDR(.data.ro_after_init) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _sro_after_init = .;
        *(.data.ro_after_init)
        . = ALIGN(PAGE);
        _ero_after_init = .;
    } :data
    .data : AT(ADDR(.data) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _sdata = .;
        *(.data.page_aligned)
        *(.data.read_mostly)
        . = ALIGN(64);
        *(.data .data.rel .data.rel.local .data.rel.local.*)
        . = ALIGN(PAGE);
    } :data
    .init.data : AT(ADDR(.init.data) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _sinitdata = .;
        *(.init.data)
        . = ALIGN(PAGE);
        _einitdata = .;
    } :data
    /* Each CPU's copy starts as zeros: no initialisers in here. */
    .percpu (NOLOAD) : AT(ADDR(.percpu) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        _sbss = .;
        _percpu_start = .;
        *(.data.percpu)
        . = ALIGN(64);
        _percpu_end = .;
    } :data
    .bss (NOLOAD) : AT(ADDR(.bss) - XEN_VIRT_START + XEN_LOAD_PADDR) {
        . = ALIGN(32768);
        *(.bss.stack)
        . = ALIGN(PAGE);
        *(.bss.page_aligned)
        *(.bss .bss.* COMMON)
        . = ALIGN(PAGE);
        _edata = .;
        _end = .;
    } :data
    image_size = _end - XEN_VIRT_START;
    image_file_size = _sbss - XEN_VIRT_START;
    start_offset = start - XEN_VIRT_START;

    /DISCARD/ : { *(.comment) *(.note.*) *(.eh_frame*) *(.discard*) }
}

ASSERT(_end - _start <= 16 * 1024 * 1024, "the boot page tables map 16 MiB of image")
