/*
 * A network namespace for a test: every change of the network that the test makes stays in it.
 */
#ifndef TESTS_NETWORK_SPACE_H
#define TESTS_NETWORK_SPACE_H

/*
 * Move this process into a new network namespace with its loopback up. Where that can't be done,
 * print a TAP plan that skips everything with the reason, and exit.
 */
void space_enter(void);

#endif
