# network/: bridge, route and NAT modes. xend has all of it (xend/build.mk); network-bridge is the
# program that xend runs to take over the machine's interface.

# NAT mode's server, where the machine that builds the image has it.
INSTALL += $(addsuffix :/usr/sbin/dnsmasq,$(wildcard /usr/sbin/dnsmasq))

NETWORK_PROGRAM_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard network/program/*.c))
NETWORK_LIBS        := -lnl-route-3 -lnl-3 -ljson-c -lpthread -lm
ALL                 += $(B)/bin/network-bridge
INSTALL             += $(B)/bin/network-bridge:/etc/xen/scripts/network-bridge

# What network-bridge needs: plans, and nothing of xend but its library of values.
NETWORK_CORE := address bridge_facts bridge_mode bridge_options change change_records change_text journal \
                link link_names netlink net_record net_record_text plan probe probe_packet sysctl transaction

$(NETWORK_PROGRAM_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -I/usr/include/libnl3 -c $< -o $@

$(B)/bin/network-bridge: $(NETWORK_PROGRAM_OBJ) $(NETWORK_CORE:%=$(B)/network/%.o) $(B)/libxend.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(NETWORK_LIBS)

# Tests: on the kernel of network namespaces of their own, with sanitizers.
NETWORK_TEST_OBJ := $(patsubst %.c,$(B)/tests/xend/%.o,$(wildcard network/*.c tests/unit/network/space.c tests/unit/network/guest.c tests/unit/network/frame.c))
NETWORK_UNIT     := link modes

$(NETWORK_UNIT:%=$(B)/tests/unit/network/%): $(B)/tests/unit/network/%: \
    $(B)/tests/xend/tests/unit/network/%.o $(NETWORK_TEST_OBJ) $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ -lnftables $(NETWORK_LIBS) -lcmocka

UNIT_TESTS += $(NETWORK_UNIT:%=$(B)/tests/unit/network/%)

# The program itself, to be stopped and killed at every point by bridge_mode.py.
$(B)/tests/network-bridge: $(B)/tests/xend/tests/unit/network/network_bridge_killed.o \
    $(B)/tests/xend/network/program/network_bridge.o $(NETWORK_CORE:%=$(B)/tests/xend/network/%.o) \
    $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(NETWORK_LIBS)

# The same without sanitizers, for Domain 0 (tests/system/long_networks_dom0.py).
$(B)/tests/network-bridge-plain: tests/unit/network/network_bridge_killed.c \
    $(B)/network/program/network_bridge.o $(NETWORK_CORE:%=$(B)/network/%.o) $(B)/libxend.a
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -I/usr/include/libnl3 -o $@ $^ $(NETWORK_LIBS)

NETWORK_PYTHON_UNIT := tests/unit/network/bridge_mode.py tests/unit/network/bridge_mode_killed.py
$(NETWORK_PYTHON_UNIT): $(B)/tests/network-bridge ;
UNIT_TESTS += $(NETWORK_PYTHON_UNIT)
