/*
 * printk: levels, the "(HV) " prefix with time and CPU, and the limit on what guests can provoke.
 *
 * A message starts with a level mark (lib.h). Below the lower threshold of its class it is always
 * printed; between the lower and the upper one it is printed as long as the rate allows.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <hospes/time.h>
#include "console_ring.h"

struct thresholds {
    int always, limited; /* levels below these numbers are printed; limited >= always */
};
/* Hypervisor: up to LOG_INFO. Guest-provoked: errors and warnings, rate limited. */
static struct thresholds host_level = {3, 3}, guest_level = {0, 2};

static bool opt_timestamps = true;
bool_param(console_timestamps, "console_timestamps", opt_timestamps,
           "time and CPU in front of each line");

static bool level_is(const char *s, size_t n, const char *name)
{
    return strlen(name) == n && strncmp(s, name, n) == 0;
}

/* One level's name: the number of levels it lets through; -1: not known. */
static int parse_level(const char *s, size_t n)
{
    static const struct {
        const char *name;
        int level;
    } names[] = {{"none", 0}, {"error", 1}, {"warning", 2}, {"info", 3}, {"debug", 4}, {"all", 4}};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        if (level_is(s, n, names[i].name)) {
            return names[i].level;
        }
    }
    return -1;
}

/* "LEVEL" or "LEVEL/RATE-LIMITED-LEVEL" */
static int parse_thresholds(const char *s, struct thresholds *t)
{
    const char *slash = strchr(s, '/');
    int always, limited;

    always = parse_level(s, slash ? (size_t)(slash - s) : strlen(s));
    limited = slash ? parse_level(slash + 1, strlen(slash + 1)) : always;
    if (always < 0 || limited < 0) {
        return -EINVAL;
    }
    t->always = always;
    t->limited = max(always, limited);
    return 0;
}

static int parse_loglvl(const char *s)
{
    return parse_thresholds(s, &host_level);
}
custom_param(loglvl, "loglvl", parse_loglvl, "none|error|warning|info|debug|all");

static int parse_guest_loglvl(const char *s)
{
    return parse_thresholds(s, &guest_level);
}
custom_param(guest_loglvl, "guest_loglvl", parse_guest_loglvl, "LEVEL/RATE-LIMITED-LEVEL");

/* A bucket of tokens: MSG_BURST at once, one more each MSG_INTERVAL. */
#define MSG_INTERVAL MILLISECS(500)
#define MSG_BURST    10
static s_time_t bucket_filled_at;
static unsigned int bucket = MSG_BURST, missed;

static bool rate_allows(s_time_t now)
{
    s_time_t periods = (now - bucket_filled_at) / MSG_INTERVAL;

    if (periods > 0) {
        bucket = (unsigned int)min((s_time_t)bucket + periods, (s_time_t)MSG_BURST);
        bucket_filled_at += periods * MSG_INTERVAL;
    }
    if (bucket == 0) {
        missed++;
        return false;
    }
    bucket--;
    return true;
}

static void emit_prefix(s_time_t now)
{
    char prefix[48];
    int n;

    if (opt_timestamps) {
        n = snprintf(prefix, sizeof(prefix), "(HV) [%5ld.%06ld c%u] ", (long)(now / 1000000000),
                     (long)(now / 1000 % 1000000), smp_processor_id());
    } else {
        n = snprintf(prefix, sizeof(prefix), "(HV) ");
    }
    console_emit(prefix, (size_t)n, true);
}

static void report_missed(s_time_t now)
{
    char text[64];
    int n;

    emit_prefix(now);
    n = snprintf(text, sizeof(text), "%u messages of guests were left out.\n", missed);
    missed = 0;
    console_emit(text, (size_t)n, true);
}

/* Takes a level mark off *s. Without one the level is LOG_INFO. */
static bool should_print(const char **s, s_time_t now)
{
    const struct thresholds *t = &host_level;
    int level = 2;

    if (((*s)[0] == 1 || (*s)[0] == 2) && (*s)[1] >= '0' && (*s)[1] <= '3') {
        t = (*s)[0] == 1 ? &host_level : &guest_level;
        level = (*s)[1] - '0';
        *s += 2;
    }
    if (level < t->always) {
        return true;
    }
    if (level >= t->limited || !rate_allows(now)) {
        return false;
    }
    if (missed != 0) {
        report_missed(now);
    }
    return true;
}

/* The decision for the line that is not finished: printk may be called for pieces of a line. */
static bool line_started, line_printed;

static void print_lines(const char *s)
{
    s_time_t now = NOW();
    const char *end;
    size_t n;

    while (*s != '\0') {
        if (!line_started) {
            line_printed = should_print(&s, now);
            if (line_printed) {
                if (!console_at_line_start()) {
                    console_emit("\n", 1, true);
                }
                emit_prefix(now);
            }
        } else if ((s[0] == 1 || s[0] == 2) && s[1] >= '0' && s[1] <= '3') {
            s += 2;
        }
        end = strchr(s, '\n');
        n = end ? (size_t)(end - s) + 1 : strlen(s);
        if (line_printed) {
            console_emit(s, n, true);
        }
        line_started = end == NULL;
        s += n;
    }
}

/* A message that no level lets through costs nothing, so that no guest can keep the console's lock
 * busy. */
static bool is_silent(const char *fmt)
{
    const struct thresholds *t = fmt[0] == 1 ? &host_level : &guest_level;

    return (fmt[0] == 1 || fmt[0] == 2) && fmt[1] - '0' >= t->limited && !READ_ONCE(line_started);
}

void vprintk(const char *fmt, va_list args)
{
    static char buf[1024]; /* under the console's lock */
    unsigned long flags;

    if (is_silent(fmt)) {
        return;
    }
    flags = console_lock_irqsave();
    vsnprintf(buf, sizeof(buf), fmt, args);
    print_lines(buf);
    console_unlock_irqrestore(flags);
}

void printk(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintk(fmt, args);
    va_end(args);
}
