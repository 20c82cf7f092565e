# libxenctrl: the C library over privcmd, evtchn, gntdev and gntalloc, and the PV domain builder.

LIBXENCTRL_SRC := $(wildcard libxenctrl/*.c libxenctrl/builder/*.c)
LIBXENCTRL_OBJ := $(LIBXENCTRL_SRC:%.c=$(B)/%.pic.o)
LIBXENCTRL_TEST_OBJ := $(LIBXENCTRL_SRC:%.c=$(B)/%.test.o)
LIBXENCTRL_LIBS := -lz -llzma -lzstd -llz4

ALL += $(B)/libxenctrl.a $(B)/libxenctrl-hospes.so

$(LIBXENCTRL_OBJ): $(B)/%.pic.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -Ilibxenctrl/compat -fPIC -c $< -o $@

$(LIBXENCTRL_TEST_OBJ): $(B)/%.test.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Ilibxenctrl/compat -c $< -o $@

$(B)/libxenctrl.a: $(LIBXENCTRL_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(B)/libxenctrl-hospes.so: $(LIBXENCTRL_OBJ)
	$(CC) -shared -Wl,-soname,libxenctrl-hospes.so.1 -o $@ $^ $(LIBXENCTRL_LIBS)

# The same with sanitizers, for the tests.
$(B)/libxenctrl-test.a: $(LIBXENCTRL_TEST_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

# xc-selftest: the library proved on a running hypervisor.
XC_SELFTEST_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard libxenctrl/tools/*.c))
ALL += $(B)/xc-selftest
INSTALL += $(B)/xc-selftest:/usr/sbin/xc-selftest

$(XC_SELFTEST_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/xc-selftest: $(XC_SELFTEST_OBJ) $(B)/libxenctrl.a
	$(CC) -o $@ $^ $(LIBXENCTRL_LIBS)

# xc-trace: what the hypervisor does, as lines of text.
XC_TRACE_OBJ := $(B)/libxenctrl/tools/trace/xc-trace.o
ALL += $(B)/xc-trace
INSTALL += $(B)/xc-trace:/usr/sbin/xc-trace

$(XC_TRACE_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/xc-trace: $(XC_TRACE_OBJ) $(B)/libxenctrl.a
	$(CC) -o $@ $^ $(LIBXENCTRL_LIBS)

# Unit tests, on a fake machine.
LIBXENCTRL_TESTS := $(patsubst tests/unit/libxenctrl/test_%.c,$(B)/tests/libxenctrl-%,\
                      $(wildcard tests/unit/libxenctrl/test_*.c))
LIBXENCTRL_FAKE  := $(B)/tests/unit/libxenctrl/fake.o $(B)/tests/unit/libxenctrl/fake_hv.o $(B)/tests/unit/libxenctrl/fake_sysctl.o \
                    $(B)/tests/unit/libxenctrl/kernel.o
UNIT_TESTS += $(LIBXENCTRL_TESTS)

$(B)/tests/unit/libxenctrl/%.o: tests/unit/libxenctrl/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Ilibxenctrl/compat -c $< -o $@

$(LIBXENCTRL_TESTS): $(B)/tests/libxenctrl-%: $(B)/tests/unit/libxenctrl/test_%.o $(LIBXENCTRL_FAKE) $(B)/libxenctrl-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(LIBXENCTRL_LIBS) -lcmocka

# Fuzzers of kernels, with seeds of their own; for long runs with libFuzzer: make fuzz-kernel SECONDS=600
KERNEL_FUZZERS := $(patsubst tests/fuzz/kernel_%.c,%,$(filter-out tests/fuzz/kernel_main.c,\
                    $(wildcard tests/fuzz/kernel_*.c)))
FUZZ_TESTS += $(KERNEL_FUZZERS:%=$(B)/tests/fuzz-kernel-%)

$(B)/tests/fuzz/kernel_%.o: tests/fuzz/kernel_%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -c $< -o $@

$(B)/tests/fuzz-kernel-%: $(B)/tests/fuzz/kernel_%.o $(B)/tests/fuzz/kernel_main.o $(B)/tests/unit/libxenctrl/kernel.o $(B)/libxenctrl-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(LIBXENCTRL_LIBS)

.PHONY: fuzz-kernel
.SECONDARY:
SECONDS ?= 60
fuzz-kernel: $(KERNEL_FUZZERS:%=$(B)/tests/fuzz-kernel-%)
	@mkdir -p $(B)/fuzz
	set -e; for t in $(KERNEL_FUZZERS); do \
	    clang $(filter-out -MMD -MP,$(TEST_CFLAGS)) -fsanitize=fuzzer -Ilibxenctrl/compat -o $(B)/fuzz/$$t \
	        tests/fuzz/kernel_$$t.c tests/unit/libxenctrl/kernel.c $(LIBXENCTRL_SRC) $(LIBXENCTRL_LIBS); \
	    mkdir -p $(B)/fuzz/corpus-$$t; \
	    $(B)/tests/fuzz-kernel-$$t --seeds $(B)/fuzz/corpus-$$t; \
	    (cd $(B)/fuzz && ./$$t -max_total_time=$(SECONDS) -max_len=65536 -timeout=20 corpus-$$t); \
	done

# Manual pages, from the headers.
LIBXENCTRL_MAN := $(patsubst libxenctrl/include/%.h,$(B)/man/man3/%.3,$(wildcard libxenctrl/include/*.h))
ALL += $(LIBXENCTRL_MAN)

$(LIBXENCTRL_MAN): $(B)/man/man3/%.3: libxenctrl/include/%.h libxenctrl/manual.awk
	@mkdir -p $(@D)
	awk -v name=$* -f libxenctrl/manual.awk $< > $@
