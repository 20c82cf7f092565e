# Our own PV test kernels: each tests/guests/*.c with the runtime of tests/guests/lib is one ELF file that
# is started in Linux's place as Domain 0 (tests/system/guest.py). GUEST_OPTIONS_name: its options there.

GT_B      := $(B)/tests/guests
GT_LIB    := $(patsubst %,$(GT_B)/lib/%.o,start.S guest trap control)
GT_TESTS  := $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/*.c))
GT_CFLAGS := -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(ABI_INC) -Itests/guests/lib \
             -std=gnu11 -O2 -g -ffreestanding -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
             -fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none \
             -fno-builtin $(WARNINGS) -D__XEN_INTERFACE_VERSION__=0x00041100 -D__XEN_TOOLS__ -MMD -MP

$(GT_B)/%.o: tests/guests/%.c
	@mkdir -p $(@D)
	$(CC) $(GT_CFLAGS) -c -o $@ $<
$(GT_B)/lib/%.S.o: tests/guests/lib/%.S
	@mkdir -p $(@D)
	$(CC) -Itests/guests/lib -MMD -MP -c -o $@ $<
$(GT_B)/guest.lds: tests/guests/lib/guest.lds.in tests/guests/lib/guest_asm.h
	@mkdir -p $(@D)
	$(CC) -E -P -undef -x assembler-with-cpp -Itests/guests/lib -o $@ $<
$(GT_B)/%: $(GT_B)/%.o $(GT_LIB) $(GT_B)/guest.lds
	$(LD) -m elf_x86_64 -T $(GT_B)/guest.lds -z noexecstack --no-warn-rwx-segments --build-id=none -o $@ $< $(GT_LIB)
.SECONDARY: $(GT_LIB)

# One processor: every yield is a switch.
GUEST_OPTIONS_context_switch := vcpus=1:hv=dom0_max_vcpus=3
GUEST_OPTIONS_hypercall_fuzz := timeout=170
# Of two processors one is another domain's.
GUEST_OPTIONS_stale_grant := hv=dom0_max_vcpus=1+dom0_vcpus_pin

GUEST_OPTIONS_control_fuzz := timeout=100

GT_LIST := $(foreach t,$(GT_TESTS),$(GT_B)/$(t)$(if $(GUEST_OPTIONS_$(t)),:$(GUEST_OPTIONS_$(t))))

# Each also on a hypervisor with assertions and lock order checks (make DEBUG=1), which has a folder of its own.
GT_DEBUG_B  := $(B)/debug
GT_DEBUG_HV := $(GT_DEBUG_B)/hospes
ifeq ($(DEBUG),)
.PHONY: debug-hypervisor
debug-hypervisor:
	@$(MAKE) --no-print-directory DEBUG=1 B=$(GT_DEBUG_B) $(GT_DEBUG_HV)
GUEST_TEST_NEEDS += debug-hypervisor
GUEST_TESTS += $(GT_LIST) $(GT_LIST:%=%:on=$(GT_DEBUG_HV))
# The ways in and out and page tables once more on a processor with Meltdown, where guests run on tables without the
# hypervisor; with assertions.
GT_XPTI := entry_exit base_switch page_types linear table_writes races privileged context_switch preemption foreign
GT_XPTI_ARGS_linear := :args=isolated
GUEST_TESTS += $(foreach t,$(GT_XPTI),$(GT_B)/$(t):on=$(GT_DEBUG_HV):cpu=Skylake-Server,+x2apic,-monitor$(GT_XPTI_ARGS_$(t))$(if \
                   $(GUEST_OPTIONS_$(t)),:$(GUEST_OPTIONS_$(t))))
else
GUEST_TESTS += $(GT_LIST)
endif

# Measuring kernels for bench/run, with the same runtime. BENCH_OBJS_name: more than name.c.
GT_BENCHES := $(patsubst bench/guests/%.c,%,$(wildcard bench/guests/*.c))
BENCH_OBJS_hypercalls := $(B)/bench/guests/user.S.o
BENCH_OPTIONS_hypercalls := :hv=dom0_max_vcpus=2
$(B)/bench/guests/%.o: bench/guests/%.c
	@mkdir -p $(@D)
	$(CC) $(GT_CFLAGS) -c -o $@ $<
$(B)/bench/guests/%.S.o: bench/guests/%.S
	@mkdir -p $(@D)
	$(CC) -isystem $(ABI_INC) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<
$(B)/bench/guests/hypercalls: $(BENCH_OBJS_hypercalls)
$(GT_BENCHES:%=$(B)/bench/guests/%): $(B)/bench/guests/%: $(B)/bench/guests/%.o $(GT_LIB) $(GT_B)/guest.lds
	$(LD) -m elf_x86_64 -T $(GT_B)/guest.lds -z noexecstack --no-warn-rwx-segments --build-id=none -o $@ \
	    $(filter %.o,$^)
BENCH_GUESTS += $(foreach b,$(GT_BENCHES),$(B)/bench/guests/$(b)$(BENCH_OPTIONS_$(b)))

# Kernels for ordinary guests (tests/guests/domu), which system tests give to xm.
GT_DOMU := $(patsubst %.c,$(GT_B)/domu/%.o,neighbour.c flood.c spoil.c domu.c)
$(GT_B)/domu/neighbour: $(GT_DOMU) $(GT_LIB) $(GT_B)/guest.lds
	$(LD) -m elf_x86_64 -T $(GT_B)/guest.lds -z noexecstack --no-warn-rwx-segments --build-id=none -o $@ \
	    $(filter %.o,$^)
ALL += $(GT_B)/domu/neighbour
