/*
 * UTC: read from the RTC at boot, set by Domain 0 (XENPF_settime). Guests get it as "UTC at system
 * time 0" in their shared info.
 */
#include <hospes/domain.h>
#include <hospes/lib.h>
#include <hospes/lock.h>
#include <arch/acpi.h>
#include <arch/io.h>
#include <arch/time.h>
#include "time_internal.h"

#define RTC_INDEX    0x70
#define RTC_DATA     0x71
#define RTC_SECOND   0x00
#define RTC_MINUTE   0x02
#define RTC_HOUR     0x04
#define RTC_DAY      0x07
#define RTC_MONTH    0x08
#define RTC_YEAR     0x09
#define RTC_A        0x0a
#define RTC_A_UIP    0x80
#define RTC_B        0x0b
#define RTC_B_BINARY 0x04
#define RTC_B_24H    0x02

static spinlock_t time_lock = SPINLOCK_INIT(RANK_TIME);
static struct wallclock boot_clock;

static uint8_t __init rtc_read(uint8_t reg)
{
    outb(RTC_INDEX, reg);
    return inb(RTC_DATA);
}

static unsigned int __init rtc_number(uint8_t reg, bool binary)
{
    unsigned int v = rtc_read(reg);

    return binary ? v : (v & 15) + (v >> 4) * 10;
}

/* Seconds since 1970 of a date of the Gregorian calendar. */
static uint64_t __init seconds_of(unsigned int year, unsigned int month, unsigned int day,
                                  unsigned int hour, unsigned int min, unsigned int sec)
{
    uint64_t days;

    /* The year starts in March, so that the leap day is its last. */
    if (month <= 2) {
        year--;
        month += 12;
    }
    days = 365ull * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
           1 - 719468;
    return ((days * 24 + hour) * 60 + min) * 60 + sec;
}

static uint64_t __init rtc_seconds(void)
{
    bool binary;
    unsigned int second, year, century = 20;
    uint8_t hour_raw;
    unsigned int hour;

    /* An update lasts 2 ms at most: wait for its end, and read again if one came in between. */
    do {
        for (unsigned int i = 0; (rtc_read(RTC_A) & RTC_A_UIP) && i < 1000; i++) {
            udelay(10);
        }
        binary = rtc_read(RTC_B) & RTC_B_BINARY;
        second = rtc_number(RTC_SECOND, binary);
        year = rtc_number(RTC_YEAR, binary);
        hour_raw = rtc_read(RTC_HOUR);
        hour = binary ? hour_raw & 0x7fu : (hour_raw & 15u) + (hour_raw >> 4 & 7u) * 10;
        if (!(rtc_read(RTC_B) & RTC_B_24H)) {
            hour = (hour_raw & 0x80) ? hour % 12 + 12 : hour % 12;
        }
        if (acpi.century != 0) {
            century = rtc_number(acpi.century, binary);
        }
        if (century < 19 || century > 30) {
            century = 20;
        }
        year += century * 100;
        if (second == rtc_number(RTC_SECOND, binary)) {
            return seconds_of(year, rtc_number(RTC_MONTH, binary), rtc_number(RTC_DAY, binary),
                              hour, rtc_number(RTC_MINUTE, binary), second);
        }
    } while (true);
}

void __init wallclock_init(void)
{
    uint64_t now = rtc_seconds() * 1000000000ull;

    now -= (uint64_t)NOW();
    boot_clock.sec = now / 1000000000u;
    boot_clock.nsec = (uint32_t)(now % 1000000000u);
    printk("Wall clock: %lu s since 1970, from the RTC\n", (unsigned long)boot_clock.sec);
}

struct wallclock wallclock_at_boot(void)
{
    struct wallclock w;
    unsigned long flags;

    spin_lock_irqsave(&time_lock, flags);
    w = boot_clock;
    spin_unlock_irqrestore(&time_lock, flags);
    return w;
}

void wallclock_set(uint64_t sec, uint32_t nsec, s_time_t at)
{
    /* UTC at system time 0, in ns; wraps after the year 2554. */
    uint64_t zero = sec * 1000000000ull + nsec - (uint64_t)at;
    unsigned long flags;
    struct domain *d;

    spin_lock_irqsave(&time_lock, flags);
    boot_clock.sec = zero / 1000000000u;
    boot_clock.nsec = (uint32_t)(zero % 1000000000u);
    spin_unlock_irqrestore(&time_lock, flags);
    for_each_domain (d) {
        update_domain_wallclock(d);
    }
}

void update_domain_wallclock(struct domain *d)
{
    struct wallclock w = wallclock_at_boot();
    struct shared_info *s = d->shared_info;
    uint64_t sec = w.sec + (uint64_t)(d->time_offset / SECONDS(1));
    uint32_t version;

    if (!s) {
        return;
    }
    version = READ_ONCE(s->wc_version) | 1;
    WRITE_ONCE(s->wc_version, version);
    smp_wmb();
    s->wc_sec = (uint32_t)sec;
    s->wc_sec_hi = (uint32_t)(sec >> 32);
    s->wc_nsec = w.nsec;
    smp_wmb();
    WRITE_ONCE(s->wc_version, version + 1);
}
