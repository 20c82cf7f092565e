/* network-nat and network-route, to be stopped and killed. See killed.h. */
#include "network/program/network_host.h"
#include "tests/unit/network/killed.h"

int main(int argc, char **argv)
{
    killed_prepare();
    return network_host_main(argc, argv);
}
