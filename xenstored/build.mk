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
