# Set-up, the Domain 0 image, and `make run`. What set-up fetches lives in HOSPES_CACHE, outside the tree and shared
# by all work trees; `make clean` does not touch it. See dom0/fetch and dom0/disk.
#
# A component's programs get into the Domain 0 image by INSTALL += FILE:PLACE, with PLACE a file's full path, for
# example INSTALL += $(B)/xenstored/xenstored:/usr/sbin/xenstored. What is placed in /etc/hospes/start.d runs when
# Domain 0 starts, in alphabetical order, what is in /etc/hospes/stop.d when it ends.

HOSPES_CACHE ?= $(HOME)/.cache/hospes
export HOSPES_CACHE

# The ABI headers are needed by nearly every compilation: they are put in place before anything is built.
ifeq ($(wildcard $(ABI_INC)/xen/xen.h),)
ifneq ($(MAKECMDGOALS),clean)
$(if $(filter 0,$(shell { dom0/fetch packages abi && mkdir -p $(B)/abi && \
    ln -sfn $(HOSPES_CACHE)/abi/include $(ABI_INC); } >&2; echo $$?)),,$(error set-up failed))
endif
endif

.PHONY: setup setup-disks
setup:
	@dom0/fetch
setup-disks: setup
	@dom0/disk

# The list of what goes into the image, for dom0/image; rewritten only when it changes.
.PHONY: install-list
install-list:
	@mkdir -p $(B)
	@printf '%s\n' $(foreach i,$(INSTALL),"$(subst :, ,$(i))") > $(B)/install.new
	@cmp -s $(B)/install.new $(B)/install.txt || cp $(B)/install.new $(B)/install.txt
ALL += install-list

# make run: the hypervisor and Domain 0 on this terminal (Ctrl-A X ends the machine). HYPERVISOR=xen boots Debian's
# Xen 4.17 instead, HYPERVISOR=none the kernel alone; KERNEL=6.12 Debian 13's kernel; IMAGE=debian a whole Debian.
HYPERVISOR ?= hospes
KERNEL     ?= 6.1
IMAGE      ?= small
VCPUS      ?= 2
MEMORY     ?= 4096
DOM0_MEM   ?= 1536M
DEMO       ?= yes
RUN        ?=

# The demo: two guests, started by xm when Domain 0 is up (dom0/demo). DEMO=no leaves them out.
$(B)/demo-%.raw: dom0/demo dom0/image dom0/modules.txt $(shell find dom0/root -type f)
	dom0/demo --kernel $* --output $@

ifeq ($(DEMO) $(IMAGE) $(filter none,$(HYPERVISOR)),yes small )
RUN_DEMO  = $(B)/demo-$(KERNEL).raw
RUN_EXTRA = --disk $(RUN_DEMO) --linux-options hospes.demo --dom0-mem $(DOM0_MEM) \
            $(addprefix --disk snapshot:,$(wildcard $(HOSPES_CACHE)/disks/domu.raw))
endif

.PHONY: run
run:
	@$(MAKE) --no-print-directory $(if $(filter debian,$(IMAGE)),setup-disks,setup)
	@$(MAKE) --no-print-directory all $(RUN_DEMO)
	@$(PYTHON) tests/system/vm.py --interactive --hypervisor $(HYPERVISOR) --kernel $(KERNEL) --image $(IMAGE) \
	    --vcpus $(VCPUS) --memory $(MEMORY) $(RUN_EXTRA) $(RUN)
