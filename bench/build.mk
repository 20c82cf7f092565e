# make bench: the same kernels and programs on build/hospes and on Debian's Xen 4.17, in emulated instructions.
#
#   BENCH_GUESTS   measuring kernels (ELF) that run as Domain 0, FILE[:option=value...]: see bench/run

BENCH_GUESTS :=
BENCH_PROGRAMS := $(B)/bench/first-init $(B)/bench/memory $(B)/bench/took $(B)/bench/guest-init $(B)/bench/tiny $(B)/bench/stream

$(B)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -static -o $@ $<

# A kernel of our own, with the runtime of tests/guests.
$(B)/bench/tiny.o: bench/tiny.c
	@mkdir -p $(@D)
	$(CC) $(GT_CFLAGS) -c -o $@ $<
$(B)/bench/tiny: $(B)/bench/tiny.o $(patsubst %,$(B)/tests/guests/lib/%.o,start.S guest trap) $(B)/tests/guests/guest.lds
	$(LD) -m elf_x86_64 -T $(B)/tests/guests/guest.lds -z noexecstack --no-warn-rwx-segments --build-id=none -o $@ \
	    $(filter %.o,$^)

# What the list holds is known only after every build.mk was read: hence make once more.
.PHONY: bench bench-files
bench-files:
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BENCH_PROGRAMS) \
	    $(foreach g,$(BENCH_GUESTS),$(firstword $(subst :, ,$(g))))

bench:
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory bench-files
	@$(PYTHON) bench/run $(BENCH_GUESTS)
	@$(PYTHON) bench/networks
