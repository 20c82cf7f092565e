/*
 * The text screen: 80 by 25 characters at 0xb8000, mode 3 as the BIOS left it. Domain 0 gets the
 * screen when it starts (vga=keep: the hypervisor goes on writing to it).
 */
#include <hospes/console.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/console.h>
#include <arch/io.h>
#include <arch/layout.h>

#define COLUMNS  80u
#define ROWS     25u
#define VGA_TEXT (DIRECTMAP_START + 0xb8000)
#define COLOUR   0x0700u

static char vga_option[16];
string_param(vga, "vga", vga_option, "keep: the text screen stays the hypervisor's console");

static unsigned int column, row;
static bool vga_on;

static volatile uint16_t *cell(unsigned int r, unsigned int c)
{
    return (volatile uint16_t *)VGA_TEXT + r * COLUMNS + c;
}

static void clear_row(unsigned int r)
{
    for (unsigned int c = 0; c < COLUMNS; c++) {
        *cell(r, c) = COLOUR | ' ';
    }
}

static void new_line(void)
{
    column = 0;
    if (++row < ROWS) {
        return;
    }
    row = ROWS - 1;
    for (unsigned int r = 1; r < ROWS; r++) {
        for (unsigned int c = 0; c < COLUMNS; c++) {
            *cell(r - 1, c) = *cell(r, c);
        }
    }
    clear_row(ROWS - 1);
}

/* Called under the console's lock. */
static void vga_write(const char *s, size_t n)
{
    for (size_t i = 0; vga_on && i < n; i++) {
        if (s[i] == '\n') {
            new_line();
        } else if (s[i] == '\r') {
            column = 0;
        } else if (s[i] >= ' ') {
            *cell(row, column) = (uint16_t)(COLOUR | (uint8_t)s[i]);
            if (++column == COLUMNS) {
                new_line();
            }
        }
    }
}

static struct console_device vga_device = {
    .name = "vga", .write = vga_write, .write_panic = vga_write};

/* Is a colour text mode there? Memory that keeps what is written, and a CRTC that answers. */
static bool __init vga_present(void)
{
    uint16_t old = *cell(0, 0);
    bool kept;

    *cell(0, 0) = 0x0741;
    kept = *cell(0, 0) == 0x0741;
    *cell(0, 0) = old;
    outb(0x3d4, 0x0f);
    return kept && inb(0x3d5) != 0xff;
}

void __init vga_init(void)
{
    if (!vga_present()) {
        return;
    }
    vga_on = true;
    for (unsigned int r = 0; r < ROWS; r++) {
        clear_row(r);
    }
    console_add_device(&vga_device);
}

void __init vga_endboot(void)
{
    vga_on = vga_on && strncmp(vga_option, "keep", 4) == 0;
}
