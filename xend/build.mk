# xend: the management daemon, and the library of values and configurations that xm shares with it.

XEND_LIB_SRC := $(wildcard xend/lib/*.c)
XEND_SRC     := $(wildcard xend/*.c network/*.c)
XEND_LIB_OBJ := $(XEND_LIB_SRC:%.c=$(B)/%.o)
XEND_OBJ     := $(XEND_SRC:%.c=$(B)/%.o)
XEND_LIBS    := -lxmlrpc -lxmlrpc_util -ljson-c -lmicrohttpd -lnl-route-3 -lnl-3 $(LIBXENCTRL_LIBS) \
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
