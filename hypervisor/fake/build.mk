# hypervisor/core, hypercall and lib on the played machine: build/hypervisor/fake/core.a, for host
# tests under sanitizers. HV_FAKE_TEST(name) makes tests/unit/hypervisor/name.c a unit test.

HV_FAKE_B     := $(B)/hypervisor/fake
HV_FAKE_SRCS  := $(wildcard hypervisor/core/*.c hypervisor/hypercall/*.c hypervisor/lib/*.c hypervisor/fake/*.c)
HV_FAKE_OBJS  := $(HV_FAKE_SRCS:hypervisor/%.c=$(HV_FAKE_B)/%.o)
HV_FAKE_FLAGS := -DHOSPES_HOST_TEST -DHOSPES -DCONFIG_DEBUG -D__XEN_TOOLS__ -Ihypervisor/include \
                 -Ihypervisor/fake/include -fno-builtin -Wno-nested-externs

$(HV_FAKE_B)/%.o: hypervisor/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(HV_FAKE_FLAGS) -c -o $@ $<

$(HV_FAKE_B)/core.a: $(HV_FAKE_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

$(B)/tests/unit/hypervisor/%: tests/unit/hypervisor/%.c $(HV_FAKE_B)/core.a hypervisor/fake/fake.lds
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(HV_FAKE_FLAGS) -o $@ $< $(HV_FAKE_B)/core.a -Wl,-T,hypervisor/fake/fake.lds -lcmocka -lpthread

UNIT_TESTS += $(patsubst %.c,$(B)/%,$(wildcard tests/unit/hypervisor/*.c))
