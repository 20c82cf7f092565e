# xenstored: the store daemon, its client library, and what tests both.

XENSTORED_SRC := $(filter-out xenstored/platform_fake.c,$(wildcard xenstored/*.c))
XENSTORED_OBJ := $(XENSTORED_SRC:%.c=$(B)/%.o)

$(B)/xenstored/%.o: xenstored/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/bin/xenstored: $(XENSTORED_OBJ)
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) $^ -o $@

XSCLIENT_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard xenstored/client/*.c))

$(B)/libxsclient.a: $(XSCLIENT_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

ALL += $(B)/bin/xenstored $(B)/libxsclient.a

# For tests: the daemon on a hypervisor made of files, with sanitizers; and the same hypervisor for Debian's.
XENSTORED_TEST_OBJ := $(patsubst %.c,$(B)/tests/%.o,$(wildcard xenstored/*.c))

$(B)/tests/xenstored/%.o: xenstored/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -DXENSTORED_FAKE -c $< -o $@

$(B)/tests/xenstored-fake: $(XENSTORED_TEST_OBJ)
	$(CC) $(TEST_CFLAGS) $^ -o $@
