# The hypervisor: build/hospes (what a multiboot loader starts) and build/hospes.debug (64-bit ELF with
# symbols). make DEBUG=1 adds assertions and lock order checks.

HV_B    := $(B)/hypervisor
NM      ?= nm
OBJCOPY ?= objcopy
HV_DIRS := hypervisor/core hypervisor/hypercall hypervisor/lib \
           $(addprefix hypervisor/x86/,boot entry cpu mm irq pv time acpi console control dom0)
HV_OFFSETS := hypervisor/x86/entry/offsets.c
HV_SRCS := $(filter-out $(HV_OFFSETS),$(sort $(wildcard $(addsuffix /*.c,$(HV_DIRS)))))
HV_ASM  := $(sort $(wildcard $(addsuffix /*.S,$(HV_DIRS))))
HV_OBJS := $(HV_SRCS:%.c=$(B)/%.o) $(HV_ASM:%.S=$(B)/%.S.o)

HV_CPPFLAGS := -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(ABI_INC) \
               -Ihypervisor/include -Ihypervisor/x86/include -D__XEN_TOOLS__ -DHOSPES $(if $(DEBUG),-DCONFIG_DEBUG)
HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only \
             -fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none \
             -fomit-frame-pointer -fno-jump-tables -fno-common -mcmodel=small $(WARNINGS) -MMD -MP
# Indirect branches through x86/entry/indirect_thunk.S.
HV_CFLAGS += $(if $(findstring clang,$(shell $(CC) --version)),-mretpoline-external-thunk,\
               -mindirect-branch=thunk-extern -mindirect-branch-register)
HV_PICFIX := -include hypervisor/include/hospes/visibility.h

$(B)/hypervisor/%.o: hypervisor/%.c
	@mkdir -p $(@D)
	$(CC) $(HV_CPPFLAGS) $(HV_PICFIX) $(HV_CFLAGS) $(if $(findstring hypervisor/core/,$<),$(HV_CORE_FLAGS)) -c -o $@ $<

$(B)/hypervisor/%.S.o: hypervisor/%.S
	@mkdir -p $(@D)
	$(CC) $(HV_CPPFLAGS) -D__ASSEMBLY__ -g -MMD -MP -I$(HV_B) -c -o $@ $<

HV_CORE_FLAGS := -Wconversion

# Offsets of structures, for assembly: the compiler prints them into its assembly text.
$(HV_B)/offsets.h: $(HV_OFFSETS)
	@mkdir -p $(@D)
	$(CC) $(HV_CPPFLAGS) $(HV_PICFIX) $(filter-out -g,$(HV_CFLAGS)) -MT $@ -MF $(HV_B)/offsets.d -S -o $(HV_B)/offsets.s $<
	sed -n 's/.*"->\([A-Za-z0-9_]*\) \(-*[0-9]*\)".*/#define \1 \2/p' $(HV_B)/offsets.s > $@
$(filter %.S.o,$(HV_OBJS)): $(HV_B)/offsets.h

# The one file that sees the decompression libraries' headers, and through them the C library's.
$(B)/hypervisor/x86/dom0/decompress.o: HV_CPPFLAGS += -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)

HV_LIBS := -l:liblzma.a -l:libzstd.a -l:liblz4.a -l:libz.a

# The image is linked twice: the symbol table in it is made from the first link.
HV_LDS := $(HV_B)/hospes.lds
HV_NO_BUILD_ID := 0000000000000000000000000000000000000000
HV_LD  := $(LD) -m elf_x86_64 -T $(HV_LDS) -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
          -L$(shell $(CC) -print-file-name=. ) $(HV_LDFLAGS)
HV_LIB_FILES := $(foreach l,$(patsubst -l:%,%,$(filter -l:%,$(HV_LIBS))),$(shell $(CC) -print-file-name=$(l))) $(shell $(CC) -print-libgcc-file-name)

$(HV_LDS): hypervisor/x86/boot/hospes.lds.in hypervisor/x86/include/arch/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -undef -D__ASSEMBLY__ -x assembler-with-cpp -Ihypervisor/x86/include -o $@ $<

$(HV_B)/symbols.0.S: hypervisor/x86/boot/symbols.awk
	@mkdir -p $(@D)
	LC_ALL=C awk -f $< < /dev/null > $@
$(HV_B)/symbols.1.S: $(HV_B)/hospes.0 hypervisor/x86/boot/symbols.awk
	$(NM) -n --defined-only $< | LC_ALL=C awk -f hypervisor/x86/boot/symbols.awk > $@
$(HV_B)/symbols.%.o: $(HV_B)/symbols.%.S
	$(CC) -c -o $@ $<
$(HV_B)/hospes.0: $(HV_OBJS) $(HV_B)/symbols.0.o $(HV_LDS)
	$(HV_LD) --build-id=0x$(HV_NO_BUILD_ID) -o $@ $(HV_OBJS) $(HV_B)/symbols.0.o --start-group $(HV_LIB_FILES) --end-group
# The build's identity is a hash of what is loaded, without the debug information, which has paths in it: the same
# source and compiler give the same image wherever it is built.
$(HV_B)/build-id: $(HV_B)/hospes.0
	$(OBJCOPY) -O binary $< $@.image
	sha1sum < $@.image | cut -c1-40 > $@
$(B)/hospes.debug: $(HV_OBJS) $(HV_B)/symbols.1.o $(HV_LDS) $(HV_B)/build-id
	$(HV_LD) --build-id=0x$$(cat $(HV_B)/build-id) -o $@ $(HV_OBJS) $(HV_B)/symbols.1.o --start-group $(HV_LIB_FILES) --end-group

# What -kernel and GRUB take: the same bytes in a 32-bit ELF file (hypervisor/x86/boot/wrap.lds).
HV_SYM = $(shell $(NM) $(B)/hospes.debug | sed -n 's/^\([0-9a-f]*\) [A-Za-z] $(1)$$/0x\1/p')
$(B)/hospes: $(B)/hospes.debug hypervisor/x86/boot/wrap.lds
	$(OBJCOPY) -O binary $< $(HV_B)/hospes.bin
	$(LD) -m elf_i386 --defsym IMAGE_SIZE=$(call HV_SYM,image_size) --defsym START_OFFSET=$(call HV_SYM,start_offset) \
	    -T hypervisor/x86/boot/wrap.lds --build-id=none --no-warn-rwx-segments -b binary $(HV_B)/hospes.bin -o $@

ALL += $(B)/hospes
