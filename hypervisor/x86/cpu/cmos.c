/* Index and data port of the CMOS RAM (arch/cmos.h). */
#include <hospes/lock.h>
#include <arch/cmos.h>
#include <arch/io.h>

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

static spinlock_t cmos_lock = SPINLOCK_INIT(RANK_PORTS);

uint8_t cmos_read(uint8_t index)
{
    unsigned long flags;
    uint8_t v;

    spin_lock_irqsave(&cmos_lock, flags);
    outb(CMOS_INDEX, index & 0x7f);
    v = inb(CMOS_DATA);
    spin_unlock_irqrestore(&cmos_lock, flags);
    return v;
}

void cmos_write(uint8_t index, uint8_t value)
{
    unsigned long flags;

    spin_lock_irqsave(&cmos_lock, flags);
    outb(CMOS_INDEX, index & 0x7f);
    outb(CMOS_DATA, value);
    spin_unlock_irqrestore(&cmos_lock, flags);
}
