# make bench: the same kernels and programs on build/hospes and on Debian's Xen 4.17, in emulated instructions.
#
#   BENCH_GUESTS   measuring kernels (ELF) that run as Domain 0, FILE[:option=value...]: see bench/run

BENCH_GUESTS :=
BENCH_PROGRAMS := $(B)/bench/first-init $(B)/bench/memory

$(B)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -static -o $@ $<

# What the list holds is known only after every build.mk was read: hence make once more.
.PHONY: bench bench-files
bench-files:
	@$(MAKE) --no-print-directory -j$$(nproc) all $(BENCH_PROGRAMS) \
	    $(foreach g,$(BENCH_GUESTS),$(firstword $(subst :, ,$(g))))

bench:
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory bench-files
	@$(PYTHON) bench/run $(BENCH_GUESTS)
