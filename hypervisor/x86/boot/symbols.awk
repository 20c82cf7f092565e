# nm -n of the first link -> the symbol table that arch_symbol_name searches (x86/boot/symbols.c): offsets of
# the text symbols from _start in rising order, the place of each one's name, the names.
BEGIN { n = 0 }
$2 ~ /^[tT]$/ && $3 !~ /^(\.L|_stext|_etext|_sinittext|_einittext|_start$)/ {
    address[n] = $1; name[n] = $3; n++
}
END {
    print ".section .symtab.table, \"a\", @progbits"
    print ".balign 8"
    print ".globl symbol_count, symbol_offsets, symbol_names, symbol_text"
    printf "symbol_count: .long %d\n", n
    print "symbol_offsets:"
    for (i = 0; i < n; i++) {
        printf ".long 0x%s\n", substr(address[i], 9) # XEN_VIRT_START's low half is taken off in C
    }
    print "symbol_names:"
    at = 0
    for (i = 0; i < n; i++) {
        printf ".long %d\n", at
        at += length(name[i]) + 1
    }
    print "symbol_text:"
    for (i = 0; i < n; i++) {
        printf ".asciz \"%s\"\n", name[i]
    }
    print ".byte 0"
    print ".section .note.GNU-stack, \"\", @progbits"
}
