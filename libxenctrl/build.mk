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

# Fuzzers of kernels.
KERNEL_FUZZ := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/kernel_*.c))
FUZZ_TESTS += $(KERNEL_FUZZ)

$(KERNEL_FUZZ): $(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(FUZZ_DRIVER) $(B)/tests/unit/libxenctrl/kernel.o $(B)/libxenctrl-test.a
	$(CC) $(TEST_CFLAGS) $(FUZZ_ENGINE) -o $@ $^ $(LIBXENCTRL_LIBS)

# Manual pages, from the headers.
LIBXENCTRL_MAN := $(patsubst libxenctrl/include/%.h,$(B)/man/man3/%.3,$(wildcard libxenctrl/include/*.h))
ALL += $(LIBXENCTRL_MAN)

$(LIBXENCTRL_MAN): $(B)/man/man3/%.3: libxenctrl/include/%.h libxenctrl/manual.awk
	@mkdir -p $(@D)
	awk -v name=$* -f libxenctrl/manual.awk $< > $@
