/*
 * The instruction decoder (hypervisor/x86/pv/decode.c): what this proves.
 *
 * 1. Instructions of every shape are decoded: prefixes, ModRM with SIB, displacements, rip-relative
 * and 16-bit addresses, immediates of every size, in 64-bit and 32-bit code.
 * 2. An instruction that is cut short anywhere is -EFAULT ("fetch more"), never something else, and
 *    decodes to the same when more bytes follow.
 * 3. No sequence of bytes makes it read past the bytes that it was given (each is in a buffer of
 * its own under the address sanitizer), or find an instruction longer than 15 bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#undef __always_inline /* the C library has one too */
#define HOSPES_HOST_TEST 1
#include "hypervisor/x86/pv/decode.c"

struct known {
    const char *text;
    uint8_t n, bytes[INSN_MAX];
    bool code32;
    uint8_t map, opcode, op_bytes, mod, reg, rm, base, index, scale;
    int64_t disp;
    uint64_t imm;
};
#define NR INSN_NO_REG

static const struct known known[] = {
    {"mov %rax,(%rdi)", 3, {0x48, 0x89, 0x07}, false, MAP_ONE, 0x89, 8, 0, 0, 7, 7, NR, 1, 0, 0},
    {"mov %r9d,0x10(%r12)",
     5,
     {0x45, 0x89, 0x4c, 0x24, 0x10},
     false,
     MAP_ONE,
     0x89,
     4,
     1,
     9,
     12,
     12,
     NR,
     1,
     0x10,
     0},
    {"mov %al,-8(%rbp,%r9,4)",
     5,
     {0x42, 0x88, 0x44, 0x8d, 0xf8},
     false,
     MAP_ONE,
     0x88,
     4,
     1,
     0,
     4,
     5,
     9,
     4,
     -8,
     0},
    {"movq $-1,0x1234(%rip)",
     11,
     {0x48, 0xc7, 0x05, 0x34, 0x12, 0, 0, 0xff, 0xff, 0xff, 0xff},
     false,
     MAP_ONE,
     0xc7,
     8,
     0,
     0,
     5,
     NR,
     NR,
     1,
     0x1234,
     ~0ull},
    {"lock cmpxchg %rcx,(%rbx)",
     5,
     {0xf0, 0x48, 0x0f, 0xb1, 0x0b},
     false,
     MAP_0F,
     0xb1,
     8,
     0,
     1,
     3,
     3,
     NR,
     1,
     0,
     0},
    {"xchg %rdx,(%rax)", 3, {0x48, 0x87, 0x10}, false, MAP_ONE, 0x87, 8, 0, 2, 0, 0, NR, 1, 0, 0},
    {"lock btsq $9,8(%rsi)",
     7,
     {0xf0, 0x48, 0x0f, 0xba, 0x6e, 0x08, 0x09},
     false,
     MAP_0F,
     0xba,
     8,
     1,
     5,
     6,
     6,
     NR,
     1,
     8,
     9},
    {"movw $0x1234,(%rsp)",
     6,
     {0x66, 0xc7, 0x04, 0x24, 0x34, 0x12},
     false,
     MAP_ONE,
     0xc7,
     2,
     0,
     0,
     4,
     4,
     NR,
     1,
     0,
     0x1234},
    {"movabs $..,%r11",
     10,
     {0x49, 0xbb, 8, 7, 6, 5, 4, 3, 2, 0x81},
     false,
     MAP_ONE,
     0xbb,
     8,
     0,
     0,
     0,
     NR,
     NR,
     1,
     0,
     0x8102030405060708ull},
    {"movabs %al,0x..",
     9,
     {0xa2, 1, 0, 0, 0, 0, 0x80, 0xff, 0xff},
     false,
     MAP_ONE,
     0xa2,
     4,
     0,
     0,
     0,
     NR,
     NR,
     1,
     (int64_t)0xffff800000000001ull,
     0},
    {"testl $7,(%rax)",
     6,
     {0xf7, 0x00, 7, 0, 0, 0},
     false,
     MAP_ONE,
     0xf7,
     4,
     0,
     0,
     0,
     0,
     NR,
     1,
     0,
     7},
    {"negl (%rax)", 2, {0xf7, 0x18}, false, MAP_ONE, 0xf7, 4, 0, 3, 0, 0, NR, 1, 0, 0},
    {"outb %al,(%dx)", 1, {0xee}, false, MAP_ONE, 0xee, 4, 0, 0, 0, NR, NR, 1, 0, 0},
    {"in $0x71,%al", 2, {0xe4, 0x71}, false, MAP_ONE, 0xe4, 4, 0, 0, 0, NR, NR, 1, 0, 0x71},
    {"rep outsw", 3, {0xf3, 0x66, 0x6f}, false, MAP_ONE, 0x6f, 2, 0, 0, 0, NR, NR, 1, 0, 0},
    {"mov %cr3,%r8", 4, {0x41, 0x0f, 0x20, 0xd8}, false, MAP_0F, 0x20, 4, 3, 3, 8, NR, NR, 1, 0, 0},
    {"mov %rax,%cr4 with mod 0",
     3,
     {0x0f, 0x22, 0x20},
     false,
     MAP_0F,
     0x22,
     4,
     3,
     4,
     0,
     NR,
     NR,
     1,
     0,
     0},
    {"wrmsr", 2, {0x0f, 0x30}, false, MAP_0F, 0x30, 4, 0, 0, 0, NR, NR, 1, 0, 0},
    {"movbe %eax,(%rcx)",
     4,
     {0x0f, 0x38, 0xf1, 0x01},
     false,
     MAP_0F38,
     0xf1,
     4,
     0,
     0,
     1,
     1,
     NR,
     1,
     0,
     0},
    {"enter $16,$1", 4, {0xc8, 0x10, 0, 1}, false, MAP_ONE, 0xc8, 4, 0, 0, 0, NR, NR, 1, 0, 1},
    {"mov %eax,0x12345678 (32)",
     6,
     {0x89, 0x05, 0x78, 0x56, 0x34, 0x12},
     true,
     MAP_ONE,
     0x89,
     4,
     0,
     0,
     5,
     NR,
     NR,
     1,
     0x12345678,
     0},
    {"mov %cx,2(%bp,%si) (32, 16)",
     5,
     {0x67, 0x66, 0x89, 0x4a, 0x02},
     true,
     MAP_ONE,
     0x89,
     2,
     1,
     1,
     2,
     5,
     6,
     1,
     2,
     0},
    {"inc %eax (32)", 1, {0x40}, true, MAP_ONE, 0x40, 4, 0, 0, 0, NR, NR, 1, 0, 0},
};

/* The bytes in a buffer that ends with them. */
static int decode_exact(struct insn *i, const uint8_t *bytes, unsigned int n, bool long_mode)
{
    uint8_t *copy = malloc(n ? n : 1);
    int rc;

    memcpy(copy, bytes, n);
    rc = insn_decode(i, copy, n, long_mode);
    free(copy);
    return rc;
}

static void test_known(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
        const struct known *w = &known[k];
        struct insn i;

        if (decode_exact(&i, w->bytes, w->n, !w->code32) != 0) {
            fail_msg("%s does not decode", w->text);
        }
        if (i.len != w->n || i.map != w->map || i.opcode != w->opcode ||
            i.op_bytes != w->op_bytes || i.disp != w->disp || i.imm != w->imm) {
            fail_msg("%s: length %u opcode %x size %u disp %lx imm %lx", w->text, i.len, i.opcode,
                     i.op_bytes, (long)i.disp, (unsigned long)i.imm);
        }
        if (i.has_modrm && (i.mod != w->mod || i.reg != w->reg || i.rm != w->rm)) {
            fail_msg("%s: mod %u reg %u rm %u", w->text, i.mod, i.reg, i.rm);
        }
        if (i.base != w->base || i.index != w->index || i.scale != w->scale) {
            fail_msg("%s: base %u index %u scale %u", w->text, i.base, i.index, i.scale);
        }
    }
}

static void test_cut_short(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
        struct insn i;

        for (unsigned int n = 0; n < known[k].n; n++) {
            assert_int_equal(decode_exact(&i, known[k].bytes, n, !known[k].code32), -EFAULT);
        }
    }
}

static void test_prefixes(void **state)
{
    static const uint8_t all[] = {0x64, 0xf3, 0x66, 0x67, 0x48, 0x8b, 0x04, 0x8d, 1, 0, 0, 0x80};
    static const uint8_t only[15] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                     0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    struct insn i;

    (void)state;
    assert_int_equal(decode_exact(&i, all, sizeof(all), true), 0);
    assert_int_equal(i.seg, SEG_FS);
    assert_true(i.rep);
    assert_int_equal(i.op_bytes, 8); /* REX.W wins over 66 */
    assert_int_equal(i.addr_bytes, 4);
    assert_int_equal(i.base, INSN_NO_REG);
    assert_int_equal(i.index, 1);
    assert_int_equal(i.scale, 4);
    assert_false(i.rip_relative); /* with SIB there is none */
    assert_int_equal(decode_exact(&i, only, sizeof(only), true), -EINVAL);
    assert_int_equal(decode_exact(&i, only, 14, true), -EFAULT);
}

static void test_random(void **state)
{
    unsigned int seed = 1;

    (void)state;
    for (unsigned int round = 0; round < 2000000; round++) {
        uint8_t bytes[INSN_MAX];
        struct insn i, again;
        unsigned int n = 1 + rand_r(&seed) % INSN_MAX;
        bool long_mode = rand_r(&seed) & 1;
        int rc;

        for (unsigned int k = 0; k < n; k++) {
            bytes[k] = (uint8_t)(rand_r(&seed) >> 8);
        }
        if (rand_r(&seed) & 1) { /* prefixes and escapes are rare by themselves */
            static const uint8_t often[] = {0x0f, 0x66, 0x67, 0x48, 0xf0, 0xf3, 0x38, 0x45};

            bytes[0] = often[rand_r(&seed) % sizeof(often)];
        }
        rc = decode_exact(&i, bytes, n, long_mode);
        if (rc == 0) {
            assert_in_range(i.len, 1, n);
            assert_int_equal(decode_exact(&again, bytes, i.len, long_mode), 0);
            assert_memory_equal(&i, &again, sizeof(i));
            assert_true(i.base == INSN_NO_REG || i.base < 16);
            assert_true(i.index == INSN_NO_REG || i.index < 16);
        } else {
            assert_true(rc == -EINVAL || (rc == -EFAULT && n < INSN_MAX));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
