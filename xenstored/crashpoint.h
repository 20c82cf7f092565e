/*
 * Places where it would hurt most to be killed. In the tests' build $XENSTORED_CRASH_AT=N kills the
 * daemon (SIGKILL) when it comes to the N-th of them; in the real one they are nothing.
 */
#ifndef XENSTORED_CRASHPOINT_H
#define XENSTORED_CRASHPOINT_H

void crash_point(void);

#ifdef XENSTORED_FAKE
#define CRASH_POINT() crash_point()
#else
#define CRASH_POINT() ((void)0)
#endif

#endif
