# Host-side tests of the hypervisor's portable part. A test includes or links what it tests; what it
# needs besides is played by the test itself.

HV_TEST_FLAGS := -Ihypervisor/include -D__XEN_TOOLS__ -DCONFIG_DEBUG -Wno-nested-externs

$(B)/tests/unit/page_type: tests/unit/page_type.c hypervisor/core/page_type.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(HV_TEST_FLAGS) -Ihypervisor/x86/include -o $@ $< -lcmocka -lpthread
UNIT_TESTS += $(B)/tests/unit/page_type

$(B)/tests/unit/decode: tests/unit/decode.c hypervisor/x86/pv/decode.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(HV_TEST_FLAGS) -o $@ $< -lcmocka
UNIT_TESTS += $(B)/tests/unit/decode

$(B)/tests/unit/xpti_fill: tests/unit/xpti_fill.c hypervisor/x86/pv/xpti_fill.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(HV_TEST_FLAGS) -Ihypervisor/x86/include -o $@ $< -lcmocka
UNIT_TESTS += $(B)/tests/unit/xpti_fill
