/* network-bridge, to be stopped and killed. See killed.h. */
#include "network/program/network_bridge.h"
#include "tests/unit/network/killed.h"

int main(int argc, char **argv)
{
    killed_prepare();
    return network_bridge_main(argc, argv);
}
