/*
 * Going into the background, with an answer: whoever started xend learns whether it runs.
 */
#ifndef XEND_BACKGROUND_H
#define XEND_BACKGROUND_H

#include "xend/lib/error.h"

#include <stdbool.h>

/*
 * Go on in a child. The parent waits for background_ready() and then exits with what it says.
 * keep_output: the log goes to standard error, which is kept. 0 (in the child) or -errno
 */
int background_start(bool keep_output, struct error *err);

/*
 * Go on in a child that is started again whenever a signal kills it. Before there are threads or
 * open files that matter. 0 (in the child) or -errno
 */
int background_supervise(struct error *err);

/* xend serves (sentence NULL), or it ends with this sentence. Without background_start(): nothing.
 */
void background_ready(const char *sentence);

#endif
