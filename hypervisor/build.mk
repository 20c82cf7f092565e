# The hypervisor: build/hospes (what a multiboot loader starts) and build/hospes.debug (64-bit ELF with
# symbols). make DEBUG=1 adds assertions and lock order checks.

HV_B    := $(B)/hypervisor
HV_DIRS := hypervisor/core hypervisor/hypercall hypervisor/lib \
           $(addprefix hypervisor/x86/,boot entry cpu mm irq pv time acpi dom0)
HV_OFFSETS := hypervisor/x86/entry/offsets.c
HV_SRCS := $(filter-out $(HV_OFFSETS),$(sort $(wildcard $(addsuffix /*.c,$(HV_DIRS)))))
HV_ASM  := $(sort $(wildcard $(addsuffix /*.S,$(HV_DIRS))))
HV_OBJS := $(HV_SRCS:%.c=$(B)/%.o) $(HV_ASM:%.S=$(B)/%.S.o)

HV_CPPFLAGS := -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(ABI_INC) \
               -Ihypervisor/include -Ihypervisor/x86/include -D__XEN_TOOLS__ -DHOSPES $(if $(DEBUG),-DCONFIG_DEBUG)
HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only \
             -fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none \
             -fno-omit-frame-pointer -fno-jump-tables -fno-common -mcmodel=small $(WARNINGS) -MMD -MP
HV_PICFIX := -include hypervisor/include/hospes/visibility.h

$(B)/hypervisor/%.o: hypervisor/%.c
	@mkdir -p $(@D)
	$(CC) $(HV_CPPFLAGS) $(HV_PICFIX) $(HV_CFLAGS) $(if $(findstring hypervisor/core/,$<),$(HV_CORE_FLAGS)) -c -o $@ $<

$(B)/hypervisor/%.S.o: hypervisor/%.S
	@mkdir -p $(@D)
	$(CC) $(HV_CPPFLAGS) -D__ASSEMBLY__ -g -MMD -MP -I$(HV_B) -c -o $@ $<

# Offsets of structures, for assembly: the compiler prints them into its assembly text.
$(HV_B)/offsets.h: $(HV_OFFSETS)
	@mkdir -p $(@D)
	$(CC) $(HV_CPPFLAGS) $(HV_PICFIX) $(filter-out -g,$(HV_CFLAGS)) -MT $@ -MF $(HV_B)/offsets.d -S -o $(HV_B)/offsets.s $<
	sed -n 's/.*"->\([A-Za-z0-9_]*\) \(-*[0-9]*\)".*/#define \1 \2/p' $(HV_B)/offsets.s > $@
$(B)/hypervisor/x86/entry/entry.S.o: $(HV_B)/offsets.h

HV_LIBS := -l:liblzma.a -l:libzstd.a -l:liblz4.a -l:libz.a
