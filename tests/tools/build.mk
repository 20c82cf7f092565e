# Programs that system tests put into Domain 0 beside the product's own (tests/system/world.py).
PROBE_OBJ := $(B)/tests/tools/probe.o
$(PROBE_OBJ): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<
$(B)/tests/tools/probe: $(PROBE_OBJ) $(B)/libxenctrl.a $(B)/libxsclient.a
	$(CC) -o $@ $^ $(LIBXENCTRL_LIBS)
ALL += $(B)/tests/tools/probe
