# network/: bridge, route and NAT modes. xend has all of it (xend/build.mk).

# NAT mode's server, where the machine that builds the image has it.
INSTALL += $(addsuffix :/usr/sbin/dnsmasq,$(wildcard /usr/sbin/dnsmasq))

# Tests: on the kernel of a network namespace of their own, with sanitizers.
NETWORK_TEST_OBJ := $(patsubst %.c,$(B)/tests/xend/%.o,$(wildcard network/*.c tests/unit/network/space.c tests/unit/network/guest.c tests/unit/network/frame.c))
NETWORK_UNIT     := link modes

$(NETWORK_UNIT:%=$(B)/tests/unit/network/%): $(B)/tests/unit/network/%: \
    $(B)/tests/xend/tests/unit/network/%.o $(NETWORK_TEST_OBJ) $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ -lnftables -lnl-route-3 -lnl-3 -ljson-c -lcmocka -lpthread -lm

UNIT_TESTS += $(NETWORK_UNIT:%=$(B)/tests/unit/network/%)
