# network/: bridge, route and NAT modes. xend has all of it (xend/build.mk); network-bridge is the
# program that xend runs to take over the machine's interface.

# NAT mode's server, where the machine that builds the image has it.
INSTALL += $(addsuffix :/usr/sbin/dnsmasq,$(wildcard /usr/sbin/dnsmasq))

NETWORK_PROGRAM_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard network/program/*.c))
NETWORK_LIBS        := -lnl-route-3 -lnl-3 -ljson-c -lpthread -lm
NETWORK_PROGRAMS    := network-bridge network-nat network-route
ALL                 += $(NETWORK_PROGRAMS:%=$(B)/bin/%)
INSTALL             += $(foreach p,$(NETWORK_PROGRAMS),$(B)/bin/$(p):/etc/xen/scripts/$(p))

# What network-bridge needs: plans, and nothing of xend but its library of values.
NETWORK_CORE := address bridge_facts bridge_mode bridge_options change change_records change_text journal \
                link link_names netlink net_record net_record_text plan probe probe_packet sysctl transaction
# What network-nat and network-route need: all of it.
NETWORK_ALL  := $(patsubst %.c,%.o,$(wildcard network/*.c))

$(NETWORK_PROGRAM_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -I/usr/include/libnl3 -c $< -o $@

$(B)/bin/network-bridge: $(addprefix $(B)/network/program/,main.o network_bridge.o common.o) \
    $(NETWORK_CORE:%=$(B)/network/%.o) $(B)/libxend.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(NETWORK_LIBS)

$(B)/bin/network-nat: $(addprefix $(B)/network/program/,host_main.o network_host.o common.o) \
    $(NETWORK_ALL:%=$(B)/%) $(B)/xend/log.o $(B)/libxend.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ -lnftables $(NETWORK_LIBS)

# The name tells it what it is.
$(B)/bin/network-route: $(B)/bin/network-nat
	ln -f $< $@

# Tests: on the kernel of network namespaces of their own, with sanitizers.
NETWORK_TEST_OBJ := $(patsubst %.c,$(B)/tests/xend/%.o,$(wildcard network/*.c $(addprefix tests/unit/network/,space.c guest.c frame.c modes_lab.c)))
NETWORK_UNIT     := link bridge_guests route_guests nat_guests

$(NETWORK_UNIT:%=$(B)/tests/unit/network/%): $(B)/tests/unit/network/%: \
    $(B)/tests/xend/tests/unit/network/%.o $(NETWORK_TEST_OBJ) $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ -lnftables $(NETWORK_LIBS) -lcmocka

# They start the programs of the modes.
$(addprefix $(B)/tests/unit/network/,route_guests nat_guests): | $(B)/tests/network-nat $(B)/tests/network-route

UNIT_TESTS += $(NETWORK_UNIT:%=$(B)/tests/unit/network/%)

# The programs themselves, to be stopped and killed at every point by bridge_mode.py and host_modes.py.
NETWORK_TEST_PROGRAM := $(B)/tests/xend/network/program
NETWORK_KILLED       := $(B)/tests/xend/tests/unit/network
$(B)/tests/network-bridge: $(addprefix $(NETWORK_KILLED)/,network_bridge_killed.o killed.o) \
    $(addprefix $(NETWORK_TEST_PROGRAM)/,network_bridge.o common.o) $(NETWORK_CORE:%=$(B)/tests/xend/network/%.o) \
    $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(NETWORK_LIBS)

$(B)/tests/network-nat: $(addprefix $(NETWORK_KILLED)/,network_host_killed.o killed.o) \
    $(addprefix $(NETWORK_TEST_PROGRAM)/,network_host.o common.o) $(NETWORK_ALL:%=$(B)/tests/xend/%) \
    $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ -lnftables $(NETWORK_LIBS)

$(B)/tests/network-route: $(B)/tests/network-nat
	ln -f $< $@

# The same without sanitizers, for Domain 0 (tests/system/long_networks_dom0.py).
$(B)/tests/network-bridge-plain: tests/unit/network/network_bridge_killed.c tests/unit/network/killed.c \
    $(B)/network/program/network_bridge.o $(B)/network/program/common.o $(NETWORK_CORE:%=$(B)/network/%.o) $(B)/libxend.a
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -I/usr/include/libnl3 -o $@ $^ $(NETWORK_LIBS)

NETWORK_PYTHON_UNIT := $(addprefix tests/unit/network/,bridge_mode.py bridge_mode_killed.py host_modes.py)
$(NETWORK_PYTHON_UNIT): $(addprefix $(B)/tests/,network-bridge network-nat network-route) ;
UNIT_TESTS += $(NETWORK_PYTHON_UNIT)
