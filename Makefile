# SPDX-License-Identifier: BSD-2-Clause
#
# The front door: what to type. CMake builds (build/host: the programs, static, and the tests in guests; build/asan: the
# other tests, with sanitizers), kbuild builds the guest driver, and scripts/ holds the steps.
PREFIX ?= /usr/local
DESTDIR ?=
SEL4_WORKSPACE ?=
CTEST ?=

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help build test demo lint install sel4-check clean distclean setup

help:
	@echo "make demo       show the main job: a Linux guest and host programs, connected"
	@echo "make test       build and run all tests (CTEST='-R pattern' runs some)"
	@echo "make build      build the programs and the guest driver"
	@echo "make lint       check format, style and common mistakes"
	@echo "make install    install the programs and libraries (PREFIX=$(PREFIX), DESTDIR)"
	@echo "make sel4-check compile the module with a seL4 workspace's headers (SEL4_WORKSPACE=dir)"
	@echo "make clean      remove what was built; 'make distclean' the downloaded kernel, too"
	@echo
	@echo "What is missing is installed first (Debian 12); nothing else needs to be run before."

setup:
	@scripts/setup.sh
	@scripts/kernel.sh

build: setup
	@scripts/build-tree host
	@scripts/quietly "[build] building the guest driver" scripts/build-driver.sh

test: build
	@scripts/build-tree asan -DCROSSVM_SANITIZE=ON
	@scripts/run-tests $(CTEST)

demo: build
	@demo/run.sh

lint: build
	@scripts/lint

install:
	@scripts/setup.sh
	@scripts/build-tree host
	@DESTDIR="$(DESTDIR)" cmake --install build/host --prefix "$(PREFIX)"

sel4-check:
	@scripts/sel4-check "$(SEL4_WORKSPACE)"

clean:
	rm -rf build/asan build/demo build/driver build/guest-tests build/host build/sel4-check build/test build/with-kvm

distclean:
	rm -rf build
