# Hospes: one make for everything. Each component brings a build.mk; all output goes to build/.
#
#   make            build everything          make test    prove it ("N passed, N failed")
#   make run        boot it in QEMU           make bench   measure it beside Xen
#   make soak       the long tests            make format  apply .clang-format
#
# A build.mk adds what it builds to ALL, its host-side test programs (TAP on stdout) to UNIT_TESTS.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash

B       := build
CC      ?= gcc
HOSTCC  ?= gcc
PYTHON  ?= python3

# The ABI headers of Debian 12's libxen-dev, unpacked by `make setup` where the machine's own differ.
ABI_INC := $(B)/abi/include

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wvla -Wcast-qual -Wmissing-prototypes -Wswitch-enum \
            -Wstrict-prototypes -Wno-unused-parameter

# What tools (ordinary Linux programs) and host-side tests are compiled with.
TOOL_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE $(WARNINGS) -fstack-protector-strong \
               -isystem $(ABI_INC) -I. -MMD -MP
TEST_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE $(WARNINGS) -fsanitize=address,undefined $(FUZZ_ENGINE:%=%-no-link) \
               -fno-sanitize-recover=undefined -fno-omit-frame-pointer -isystem $(ABI_INC) -I. -MMD -MP

# What makes a program of a fuzz target: our own driver, or libFuzzer (make fuzz sets FUZZ_ENGINE=-fsanitize=fuzzer).
FUZZ_DRIVER := $(if $(FUZZ_ENGINE),,$(B)/tests/fuzz/driver.o)

# make V=1 shows the commands.
ifeq ($(V),)
.SILENT:
endif

ALL        :=
UNIT_TESTS :=

include $(sort $(wildcard */build.mk */*/build.mk))

.PHONY: all clean format format-check
all: $(ALL)

clean:
	rm -rf $(B)

FORMATTED = $(shell git ls-files '*.c' '*.h')
format:
	clang-format -i $(FORMATTED)
format-check:
	clang-format --dry-run --Werror $(FORMATTED)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
