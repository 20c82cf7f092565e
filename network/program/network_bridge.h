/*
 * network-bridge: the program, callable. Manual: docs/networks.md.
 */
#ifndef NETWORK_PROGRAM_NETWORK_BRIDGE_H
#define NETWORK_PROGRAM_NETWORK_BRIDGE_H

/* What main() returns: 0, 1 (it did not work), 2 (wrong words), 3 (status: not started). */
int network_bridge_main(int argc, char **argv);

#endif
