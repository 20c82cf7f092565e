# xenstored: the store daemon, its client library, and what tests both.

XENSTORED_SRC := $(filter-out xenstored/platform_fake.c,$(wildcard xenstored/*.c))
XENSTORED_OBJ := $(XENSTORED_SRC:%.c=$(B)/%.o)

$(B)/xenstored/%.o: xenstored/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/bin/xenstored: $(XENSTORED_OBJ) $(B)/libxenctrl.a
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

XENSTORED_UNIT_OBJ := $(filter-out %/main.o,$(XENSTORED_TEST_OBJ)) $(B)/libxenctrl-test.a

XENSTORED_UNIT := $(patsubst %,$(B)/tests/xenstored_%,nodes transactions watches rights log)

$(XENSTORED_UNIT): $(B)/tests/xenstored_%: tests/unit/xenstored/%.c tests/unit/xenstored/store.c \
		tests/unit/xenstored/store.h $(XENSTORED_UNIT_OBJ)
	$(CC) $(TEST_CFLAGS) $(filter-out %.h,$^) -lcmocka -o $@

UNIT_TESTS += $(XENSTORED_UNIT)

$(B)/tests/xenstored-fake: $(XENSTORED_TEST_OBJ) $(B)/libxenctrl-test.a
	$(CC) $(TEST_CFLAGS) $^ -o $@

XSCLIENT_TEST_OBJ := $(patsubst %.c,$(B)/tests/%.o,$(wildcard xenstored/client/*.c))

$(B)/tests/fuzz/xs_wire $(B)/tests/fuzz/xs_state: $(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(FUZZ_DRIVER) $(XENSTORED_UNIT_OBJ)
	$(CC) $(TEST_CFLAGS) $(FUZZ_ENGINE) $^ -o $@

$(B)/tests/fuzz/xs_client: $(B)/tests/fuzz/xs_client.o $(FUZZ_DRIVER) $(XSCLIENT_TEST_OBJ)
	$(CC) $(TEST_CFLAGS) $(FUZZ_ENGINE) $^ -o $@

FUZZ_TESTS += $(B)/tests/fuzz/xs_wire $(B)/tests/fuzz/xs_state $(B)/tests/fuzz/xs_client

# The tests in Python, as programs of their own. Debian's xenstored is compared with where it is.
ifneq ($(wildcard /usr/include/xenctrl.h),)
$(B)/tests/fakexen.so: tests/unit/xenstored/fakexen_preload.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -shared -fPIC $< -ldl -o $@

$(B)/tests/xenstored_conformance: $(B)/tests/fakexen.so
endif

XENSTORED_PY := $(addprefix $(B)/tests/,xenstored_conformance xenstored_killed xenstored_rings \
                  xenconsoled_test)
XENSTORED_PY_xenstored_conformance := conformance.py $(B) 400
XENSTORED_PY_xenstored_killed      := killed.py $(B) 41
XENSTORED_PY_xenstored_rings       := rings.py $(B)
XENSTORED_PY_xenconsoled_test      := consoles.py $(B)

$(XENSTORED_PY): $(wildcard tests/unit/xenstored/*.py) $(B)/tests/xenstored-fake $(B)/tests/xenconsoled-fake
	printf '#!/bin/sh\nexec %s tests/unit/xenstored/%s\n' '$(PYTHON)' '$(XENSTORED_PY_$(@F))' > $@
	chmod +x $@

UNIT_TESTS += $(XENSTORED_PY)

INSTALL += $(B)/bin/xenstored:/usr/sbin/xenstored
INSTALL += xenstored/start:/etc/hospes/start.d/10-xenstored

# Beside Debian's: bench/xenstore/run
$(B)/bench/xsnull: bench/xenstore/null.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) $< -o $@

$(B)/bench/xsbench: bench/xenstore/xsbench.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) $< -o $@

.PHONY: bench-xenstore
bench-xenstore: $(B)/bin/xenstored $(B)/bench/xsbench $(B)/bench/xsnull $(B)/tests/fakexen.so
	bench/xenstore/run

$(B)/tests/xenstored_client_test: tests/unit/xenstored_client_test.c $(XSCLIENT_TEST_OBJ) | $(B)/bin/xenstored
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $^ -lcmocka -o $@

UNIT_TESTS += $(B)/tests/xenstored_client_test
