# xm: the command line.

XM_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard xm/*.c))
ALL += $(B)/bin/xm

INSTALL += $(B)/bin/xm:/usr/sbin/xm
INSTALL += xm/completion.bash:/usr/share/bash-completion/completions/xm

$(XM_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c $< -o $@

$(B)/bin/xm: $(XM_OBJ) $(B)/libxend.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ -lxmlrpc -lxmlrpc_util -ljson-c -lpthread -lm
