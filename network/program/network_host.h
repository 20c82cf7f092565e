/* network-nat and network-route as a function: the name in argv[0] tells which. */
#ifndef NETWORK_PROGRAM_NETWORK_HOST_H
#define NETWORK_PROGRAM_NETWORK_HOST_H

int network_host_main(int argc, char **argv);

#endif
