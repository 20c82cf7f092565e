/*
 * network-bridge. See network_bridge.c.
 */
#include "network/program/network_bridge.h"

int main(int argc, char **argv)
{
    return network_bridge_main(argc, argv);
}
