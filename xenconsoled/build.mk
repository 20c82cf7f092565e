# xenconsoled: the console daemon. It shares util.c, process.c and drivers.c with xenstored.

XENCONSOLED_SRC := $(filter-out xenconsoled/machine_fake.c,$(wildcard xenconsoled/*.c))
XENCONSOLED_OBJ := $(XENCONSOLED_SRC:%.c=$(B)/%.o) $(B)/xenstored/util.o $(B)/xenstored/process.o $(B)/xenstored/drivers.o

$(B)/xenconsoled/%.o: xenconsoled/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/bin/xenconsoled: $(XENCONSOLED_OBJ) $(B)/libxsclient.a $(B)/libxenctrl.a
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) $^ -lutil -o $@

ALL += $(B)/bin/xenconsoled

# For tests: on a machine made of files, with sanitizers.
XENCONSOLED_TEST_OBJ := $(patsubst %.c,$(B)/tests/%.o,$(wildcard xenconsoled/*.c) xenstored/util.c \
                          xenstored/process.c xenstored/drivers.c)

$(B)/tests/xenconsoled/%.o: xenconsoled/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -DXENCONSOLED_FAKE -c $< -o $@

$(B)/tests/xenconsoled-fake: $(XENCONSOLED_TEST_OBJ) $(B)/libxsclient.a $(B)/libxenctrl-test.a
	$(CC) $(TEST_CFLAGS) $^ -lutil -o $@

INSTALL += $(B)/bin/xenconsoled:/usr/sbin/xenconsoled
INSTALL += xenconsoled/start:/etc/hospes/start.d/15-xenconsoled

$(B)/tests/fuzz/xs_console: $(B)/tests/fuzz/xs_console.o $(FUZZ_DRIVER) \
		$(filter-out %/main.o %/domains.o,$(XENCONSOLED_TEST_OBJ)) $(B)/libxenctrl-test.a
	$(CC) $(TEST_CFLAGS) $(FUZZ_ENGINE) $^ -lutil -o $@

FUZZ_TESTS += $(B)/tests/fuzz/xs_console
