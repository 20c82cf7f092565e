# make test and make soak. Lists that components append to (TAP on stdout, see tests/run):
#
#   UNIT_TESTS     host programs, run from the top of the tree
#   FUZZ_TESTS     the same, for fuzzers with their seed corpus and a limit of their own well below three minutes
#   GUEST_TESTS    small kernels (ELF) that run as Domain 0, FILE[:option=value...]; options: see tests/system/guest.py
#
# FUZZ_TESTS are build/tests/fuzz/NAME, of tests/fuzz/NAME.c; make fuzz runs them for longer.
#
# System tests are all tests/system/test_*.py. make test TESTS='unit guests' runs only these kinds; make test-long runs
# tests/system/long_*.py: whole lives of guests with every tool, on Hospes and on Debian's Xen (about an hour);
# make soak runs tests/system/soak_*.py.

FUZZ_TESTS  ?=
GUEST_TESTS :=
GUEST_TEST_NEEDS :=
TESTS       ?= unit fuzz guests system

SYSTEM_TESTS = $(sort $(wildcard tests/system/test_*.py))
LONG_TESTS   = $(sort $(wildcard tests/system/long_*.py))
SOAK_TESTS   = $(sort $(wildcard tests/system/soak_*.py))
TEST_FILES   = $(UNIT_TESTS) $(FUZZ_TESTS) $(sort $(foreach t,$(GUEST_TESTS),$(firstword $(subst :, ,$(t))))) $(GUEST_TEST_NEEDS)
LIST_unit    = $(UNIT_TESTS)
LIST_fuzz    = $(FUZZ_TESTS)
LIST_guests  = $(GUEST_TESTS)
LIST_system  = $(SYSTEM_TESTS)

$(B)/tests/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -c $< -o $@

# What the lists hold is known only after every build.mk was read: hence make once more. Set-up comes first, as
# what is built depends on what it installs.
.PHONY: test test-long soak fuzz test-files
test-files:
	@$(MAKE) --no-print-directory -j$$(nproc) all $(TEST_FILES)

test:
	@$(MAKE) --no-print-directory $(if $(filter system,$(TESTS)),setup-disks,setup)
	@$(MAKE) --no-print-directory -k test-files || echo "what could not be built fails below"
	@$(PYTHON) tests/run $(foreach k,$(TESTS),--$(k) $(LIST_$(k)))

test-long:
	@$(MAKE) --no-print-directory setup-disks
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/run --long $(LONG_TESTS)

# Each fuzz target for SECONDS with clang's libFuzzer; what it learned stays in build/libfuzzer/corpus.
SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory -j$$(nproc) $(FUZZ_TESTS)
	@$(MAKE) --no-print-directory -j$$(nproc) B=$(B)/libfuzzer ABI_INC=$(ABI_INC) CC=clang FUZZ_ENGINE=-fsanitize=fuzzer \
	    $(FUZZ_TESTS:$(B)/%=$(B)/libfuzzer/%)
	@set -e; for t in $(notdir $(FUZZ_TESTS)); do \
	    echo "== $$t"; corpus=$(B)/libfuzzer/corpus/$$t; mkdir -p $$corpus; \
	    $(B)/tests/fuzz/$$t --seeds $$corpus; \
	    $(B)/libfuzzer/tests/fuzz/$$t -max_total_time=$(SECONDS) -max_len=65536 -timeout=20 -verbosity=0 \
	        -artifact_prefix=$(B)/fuzz-$$t- $$corpus 2>$(B)/libfuzzer/$$t.log || { tail -40 $(B)/libfuzzer/$$t.log; exit 1; }; \
	done

soak:
	@$(MAKE) --no-print-directory setup-disks
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/run --soak $(SOAK_TESTS)
