/*
 * Log files with a limit: when one is full it becomes FILE.1, FILE.1 becomes FILE.2, ...
 *
 * Exactly once: before bytes go into a file, where it ends is noted (struct progress, in memory
 * that survives the process); console.c notes with it which bytes of the ring they are. A restarted
 * daemon cuts off what had been written of bytes that it will read from the ring again.
 */
#ifndef XENCONSOLED_LOGFILE_H
#define XENCONSOLED_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logfile {
    int fd; /* -1: not open */
    uint64_t size;
    bool line_start; /* a time stamp is due */
    char path[512];
};

/* Settings, from the command line. */
extern uint64_t logfile_limit; /* bytes of one file; 0: no limit */
extern unsigned logfile_keep;  /* how many old ones are kept */
extern bool logfile_no_escape; /* write '.' for the escape character */

/* Opens DIR/guest-NAME.log (prefix "guest-"); characters that don't belong in a name become '_'. */
int logfile_open(struct logfile *log, const char *dir, const char *prefix, const char *name);

/* Rotates if the file is full. Not part of logfile_write: log->size is noted in between (above). */
void logfile_make_room(struct logfile *log);

/* Appends. stamp: begin lines with the time. */
void logfile_write(struct logfile *log, const char *data, size_t len, bool stamp);

/* Opens the file again by its name (after someone else has moved it away). */
void logfile_reopen(struct logfile *log);

/* Cuts the file back to a size it had. */
void logfile_cut(struct logfile *log, uint64_t size);
void logfile_close(struct logfile *log);

#endif
