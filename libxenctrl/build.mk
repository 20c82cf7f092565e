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

$(XC_SELFTEST_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/xc-selftest: $(XC_SELFTEST_OBJ) $(B)/libxenctrl.a
	$(CC) -o $@ $^ $(LIBXENCTRL_LIBS)
