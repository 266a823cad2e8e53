# SPDX-License-Identifier: BSD-2-Clause
#
# The front door: what to type. CMake builds (build/host: the programs, static, and the tests in guests; build/arm64: the
# same with the cross compiler; build/asan: the other tests, with sanitizers; build/programs: what is installed; build/fuzz:
# the fuzzers), kbuild builds the guest driver, and scripts/ holds the steps.
PREFIX ?= /usr/local
DESTDIR ?=
CTEST ?=
ARCH ?=
SECONDS ?= 60
RUNS ?=
TARGET ?=
SEL4_WORKSPACE ?=
LISTS ?=
PROOFS ?=

# Architectures to test: ARCH or, without it, all that this machine can build for. Other targets take ARCH or this machine's.
tested = $(or $(ARCH),$(shell . scripts/target.sh && target_all))

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help tools build check test test-long demo bench fuzz model prove mutants lint install uninstall deb test-deb wheel
.PHONY: dist docs recording sel4-check clean distclean

# Warnings are errors where we look for them. A user's compiler may know more.
check test test-long lint: export CROSSVM_WERROR ?= ON

help:
	@echo "make tools      build the programs and libraries only, in build/programs"
	@echo "make demo       show the main job: two guests and host programs, connected (VMM=qemu, or VMM=crossvm-vm)"
	@echo "make check      build and run the tests that need no guest (two minutes)"
	@echo "make test       build and run all tests (CTEST='-R pattern' runs some, here and in make check)"
	@echo "make test-long  repeat for long what goes wrong seldom: hubs, VMMs, guests and programs that are killed, races, shortages"
	@echo "make bench      measure channels: beside what one would use instead, and between a guest and its host"
	@echo "make fuzz       search for inputs that break what receives something (SECONDS=60 or RUNS=1000000 for each TARGET, or one)"
	@echo "make model      explore channels and events in a weak memory, further than 'make test' does, and without each order"
	@echo "make prove      prove that what a peer says leads no access astray (PROOFS='send wire' for some)"
	@echo "make mutants    break the project in one place at a time, and say what no test notices (LISTS='hub vmm' for some)"
	@echo "make build      build the programs, the tests and the guest driver"
	@echo "make lint       check format, style and common mistakes"
	@echo "make install    install the programs and libraries (PREFIX=$(PREFIX), DESTDIR)"
	@echo "make uninstall  remove what 'make install' put there (the same PREFIX and DESTDIR)"
	@echo "make deb        build Debian packages, in build/deb (ARCH=arm64 for another architecture)"
	@echo "make test-deb   install, use and remove them in clean systems of Debian 12 and 13 (needs root)"
	@echo "make docs       build the documentation as a site, in build/docs/html, with a reference of all calls"
	@echo "make recording  run the demonstration in a terminal, and record it for the README"
	@echo "make wheel      build a wheel of the Python module with the library inside, in build/wheel (ARCH=arm64)"
	@echo "make dist       make the source archive of what is committed, and its bill of materials, in build/dist"
	@echo "make sel4-check compile the module with a seL4 workspace's headers (SEL4_WORKSPACE=dir)"
	@echo "make clean      remove what was built; 'make distclean' what was downloaded, too"
	@echo
	@echo "ARCH=amd64 or ARCH=arm64, Debian's names, make demo and make build take another architecture than this machine's;"
	@echo "make test tests all that it can build for, or just that one."
	@echo "What is missing is installed first (Debian 12 or 13); nothing else needs to be run before."

build:
	@scripts/build.sh $(ARCH)

check:
	@scripts/setup.sh --check
	@scripts/build-tree host
	@scripts/build-tree asan -DCROSSVM_SANITIZE=ON
	@scripts/run-tests "" --label-exclude slow $(CTEST)

test:
	@scripts/build.sh $(tested)
	@scripts/build-tree host
	@scripts/build-tree asan -DCROSSVM_SANITIZE=ON
	@scripts/qemu.sh
	@scripts/run-tests "$(tested)" --label-exclude only-long $(CTEST)

# Tests with the many rounds of tests/qemu/rounds.py; they show how far they are
test-long: export CROSSVM_LONG = 1
test-long:
	@scripts/setup.sh --long
	@scripts/build.sh $(tested)
	@scripts/build-tree host
	@scripts/build-tree asan -DCROSSVM_SANITIZE=ON
	@scripts/qemu.sh
	@scripts/run-tests "$(tested)" --label-regex long --verbose $(CTEST)

demo: build
	@demo/run.sh $(ARCH)

bench:
	@scripts/setup.sh --bench
	@scripts/build.sh
	@scripts/build.sh arm64
	@bench/run.sh

fuzz:
	@scripts/setup.sh --fuzz
	@scripts/fuzz $(if $(RUNS),--runs "$(RUNS)","$(SECONDS)") $(TARGET)

model:
	@scripts/setup.sh --check
	@scripts/build-tree host
	@set -e; for test in litmus events waiters driver channel; do build/host/tests/model/test_model_$$test; done
	@tests/model/weaken.py build/model

prove:
	@scripts/setup.sh --prove
	@scripts/cbmc.sh
	@scripts/prove $(PROOFS)

mutants:
	@scripts/setup.sh
	@scripts/setup.sh --prove
	@scripts/cbmc.sh
	@scripts/kernel.sh
	@scripts/qemu.sh
	@scripts/mutants $(LISTS)

lint:
	@scripts/build.sh $(tested)
	@scripts/lint

tools:
	@scripts/setup.sh --install
	@scripts/build-tree programs -DCROSSVM_BUILD_TESTS=OFF -DCROSSVM_BUILD_EXAMPLES=OFF

install: tools
	@scripts/install "$(PREFIX)" "$(DESTDIR)"

uninstall:
	@scripts/install --remove "$(PREFIX)" "$(DESTDIR)"

deb:
	@scripts/setup.sh --deb
	@scripts/deb $(ARCH)

test-deb:
	@scripts/setup.sh --test-deb
	@tests/packages/run

docs: tools
	@scripts/setup.sh --docs
	@scripts/docs

# What the README shows: the terminal of a demonstration that ran
recording: build
	@scripts/setup.sh --recording
	@scripts/recording

wheel:
	@scripts/setup.sh --wheel $(ARCH)
	@scripts/wheel $(ARCH)

dist:
	@scripts/setup.sh --dist
	@scripts/dist

sel4-check:
	@scripts/sel4-check "$(SEL4_WORKSPACE)"

# All but what was downloaded, and the list of what is installed
clean:
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name archive ! -name cbmc ! -name kernel ! -name sysroot ! -name installed \
		-exec rm -rf {} +

distclean:
	rm -rf build
