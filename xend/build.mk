# xend: the management daemon, and the library of values and configurations that xm shares with it.

XEND_LIB_SRC := $(wildcard xend/lib/*.c)
XEND_SRC     := $(wildcard xend/*.c network/*.c)
XEND_LIB_OBJ := $(XEND_LIB_SRC:%.c=$(B)/%.o)
XEND_OBJ     := $(XEND_SRC:%.c=$(B)/%.o)
XEND_LIBS    := -lxmlrpc -lxmlrpc_util -ljson-c -lmicrohttpd -lnftables -lnl-route-3 -lnl-3 $(LIBXENCTRL_LIBS) \
                -lz -llzma -lzstd -llz4 -lpthread -lm
XEND_CFLAGS  := -I/usr/include/libnl3

ALL += $(B)/libxend.a $(B)/bin/xend

$(XEND_LIB_OBJ) $(XEND_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) $(XEND_CFLAGS) -c $< -o $@

$(B)/libxend.a: $(XEND_LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(B)/bin/xend: $(XEND_OBJ) $(B)/libxend.a $(B)/libxsclient.a $(B)/libxenctrl.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(XEND_LIBS)

INSTALL += $(B)/bin/xend:/usr/sbin/xend
INSTALL += xend/start:/etc/hospes/start.d/30-xend

# Tests: xend's core on a hypervisor made of a file (tests/unit/xend_fake.h), with sanitizers. What
# touches Domain 0 itself is replaced.
XEND_TEST_SRC := $(XEND_LIB_SRC) $(wildcard xenstored/client/*.c) \
                 $(filter-out xend/main.c xend/host_loop.c network/%,$(XEND_SRC)) \
                 network/mode.c network/names.c network/script.c network/process.c \
                 $(wildcard tests/unit/xend_fake*.c) xm/client.c xm/http.c
XEND_TEST_OBJ := $(patsubst %.c,$(B)/tests/xend/%.o,$(XEND_TEST_SRC))
XEND_TEST_LIBS := -lxmlrpc -lxmlrpc_util -ljson-c -lmicrohttpd -lcmocka -lpthread -lm
XEND_UNIT     := xend_config xend_values xend_life xend_kill xend_http xend_session

$(B)/tests/xend/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(XEND_CFLAGS) -c $< -o $@

$(B)/tests/libxend-test.a: $(XEND_TEST_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

# The whole daemon, to be killed.
$(B)/tests/xend-fake: $(B)/tests/xend/xend/main.o $(B)/tests/libxend-test.a
	$(CC) $(TEST_CFLAGS) -o $@ $^ $(XEND_TEST_LIBS)

$(XEND_UNIT:%=$(B)/tests/unit/%): $(B)/tests/unit/%: $(B)/tests/xend/tests/unit/%.o \
    $(B)/tests/xend/tests/unit/xend_env.o $(B)/tests/libxend-test.a $(B)/tests/xend-fake $(B)/tests/xenstored-fake
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $(filter-out %-fake,$^) $(XEND_TEST_LIBS)

UNIT_TESTS += $(XEND_UNIT:%=$(B)/tests/unit/%)

# Fuzzers of what people and clients write; each is text.
XEND_FUZZ := config_file config_json xmlrpc_call
$(XEND_FUZZ:%=$(B)/tests/fuzz/%): $(B)/tests/fuzz/%: $(B)/tests/xend/tests/fuzz/%.o \
    $(B)/tests/fuzz/words.o $(FUZZ_DRIVER) $(B)/tests/libxend-test.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(FUZZ_ENGINE) -o $@ $^ $(XEND_TEST_LIBS)

FUZZ_TESTS += $(XEND_FUZZ:%=$(B)/tests/fuzz/%)
