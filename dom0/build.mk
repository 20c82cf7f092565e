# Set-up and the Domain 0 image. What set-up fetches lives in HOSPES_CACHE, outside the tree and shared by all
# work trees; `make clean` does not touch it. See dom0/fetch.

HOSPES_CACHE ?= $(HOME)/.cache/hospes
export HOSPES_CACHE

# The ABI headers are needed by nearly every compilation: they are put in place before anything is built.
ifeq ($(wildcard $(ABI_INC)/xen/xen.h),)
ifneq ($(MAKECMDGOALS),clean)
$(if $(filter 0,$(shell { dom0/fetch packages abi && mkdir -p $(B)/abi && \
    ln -sfn $(HOSPES_CACHE)/abi/include $(ABI_INC); } >&2; echo $$?)),,$(error set-up failed))
endif
endif

.PHONY: setup
setup:
	@dom0/fetch
