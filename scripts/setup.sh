#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Installs what building and testing need, on Debian 12 and 13. The one place that names dependencies.
# When nothing is missing it prints nothing, asks for no rights and takes a few milliseconds.
#
#   setup.sh [ARCH]               installs what is missing to build and test for an architecture; without one, this machine's
#   setup.sh --install            only what 'make tools' and 'make install' need
#   setup.sh --check              only what 'make check' needs
#   setup.sh --bench              only what 'make bench' compares channels with
#   setup.sh --long               what 'make test-long' needs besides
#   setup.sh --fuzz               only what 'make fuzz' needs
#   setup.sh --deb                only what 'make deb' needs
#   setup.sh --test-deb           only what 'make test-deb' needs
#   setup.sh --wheel [ARCH]       only what 'make wheel' needs
#   setup.sh --dist               only what 'make dist' needs
#   setup.sh --prove              only what 'make prove' needs
#   setup.sh --docs               only what 'make docs' needs, beside what 'make tools' does
#   setup.sh --recording          only what 'make recording' needs, beside what 'make demo' does
#   setup.sh --list-libraries ARCH  prints the libraries that programs hold, for the bill of materials
#   setup.sh --list-sysroot ARCH  prints the packages that sysroot.sh unpacks for another architecture
#   setup.sh --update-lists       fetches new package lists for apt
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=target.sh
. "$top/scripts/target.sh"

# The names in a list
names() {
    sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d'
}

build_tools() {
    names <<'LIST'
ca-certificates    # apt sources may be https
cmake              # the build system
gcc                # the compiler, with the address and undefined behaviour sanitizers' libraries
libc6-dev          # the C library, static too: guests hold nothing else
make               # the front door and kbuild
ninja-build        # runs what CMake planned
LIST
}

check_tools() {
    names <<'LIST'
abigail-tools      # what of the library's types is compiled into programs
clang              # the test that builds with it
clang-format       # format of C
clang-tidy         # mistakes of C
curl               # a program whose sockets are forwarded
dropbear-bin       # another: a server for ssh that no service starts
fish               # the test of what it completes
g++                # the public headers are for C++, too
git                # which files are the project's own
iperf3             # tests of network interfaces and of sockets that are forwarded
iproute2           # tests of network interfaces
libclang-rt-dev    # the same: its sanitizers
libcmocka-dev      # unit tests
libfdt-dev         # the test that reads an arm64 guest's device tree
libnats-dev        # the client of NATS that crossvm-bridge is
libnss-wrapper     # a user for dropbear that /etc/passwd does not have
libuid-wrapper     # lets it change to that user where nobody may change
man-db             # mistakes of the manual, as groff sees them
mandoc             # the same, as mdoc's own formatter sees them
mypy               # types of the Python module
musl-tools         # the test that builds with another C library
nats-server        # the servers of bridges
openssh-client     # a program whose sockets are forwarded
openssl            # makes certificates of machines
pkgconf            # the test that uses what is installed
python3            # tests of the Python module, and of programs that lack something
python3-prometheus-client # reads what top writes for Prometheus
python3-build      # the test that makes a wheel
python3-setuptools # the test that installs it
python3-venv       # the same
python3-wheel      # the same
reuse              # which file has which license
shellcheck         # mistakes of shell scripts
strace             # makes system calls of programs fail
stunnel4           # carries forwarded sockets to another machine
valgrind           # counts instructions, for their budgets
zsh                # the test of what it completes
LIST
}

# What makes a wheel with the library inside
wheel_tools() {
    names <<'LIST'
python3-build      # asks setuptools for a wheel
python3-setuptools # builds the module
python3-wheel      # the wheel
LIST
}

# What makes the source archive and its bill of materials
dist_tools() {
    names <<'LIST'
git                # what is committed
python3            # writes the bill of materials
reuse              # which file has which license
LIST
}

# The kernel of the test guests, and drivers for it
kernel_tools() {
    names <<LIST
cpio               # initramfs archives
kmod               # which modules need which others
libelf1$t64        # the kernel's objtool, run when a driver is built
libssl3$t64        # the kernel's build programs
lz4                # one of the compressions of a kernel image
xz-utils           # another
zstd               # another
LIST
}

# What programs hold, beside the C library
libraries() { # ARCH
    names <<'LIST'
libjansson-dev     # JSON: output of the crossvm tool, and what it says to QEMU
libseccomp-dev     # which system calls a program may make
libyaml-dev        # topologies
LIST
    if [ "$1" = arm64 ]; then
        names <<'LIST'
libfdt-dev         # the device tree of a guest
LIST
    fi
}

# What programs and guests of an architecture hold: installed for this machine's, unpacked by sysroot.sh for another
target_packages() { # ARCH
    libraries "$1"
    names <<'LIST'
busybox-static     # user space of test guests
LIST
}

# What emulates a machine with KVM where this one has none
emulators() { # ARCH
    case $1 in
    amd64) echo qemu-system-x86 ;;
    arm64) echo qemu-system-arm ;;
    esac
}

cross_tools() { # ARCH
    if [ "$1" = arm64 ]; then
        names <<'LIST'
gcc-aarch64-linux-gnu   # the compiler
libc6-dev-arm64-cross   # the C library
LIST
    fi
}

# What benchmarks compare channels with, and count with
bench_tools() {
    names <<'LIST'
dropbear-bin       # a server for ssh that no service starts
g++                # Boost is C++
iceoryx            # the daemon of a message library to compare with
libboost-dev       # a queue to compare with
libck-dev          # another
libiceoryx-binding-c-dev # that message library
libnats-dev        # the client of NATS that crossvm-bridge is, and is compared with
libnss-wrapper     # a user for dropbear that /etc/passwd does not have
libzmq3-dev        # another
nats-server        # what both talk to
openssh-client     # ssh -L, to compare with
python3            # measures, records and compares figures
python3-matplotlib # draws them
valgrind           # counts instructions
LIST
}

# Programs that only `make test-long` tries
long_tools() {
    names <<'LIST'
mosquitto          # a broker of MQTT over a network interface
mosquitto-clients  # ... and programs that talk to it
postgresql         # a program whose sockets are forwarded: psql and its server
LIST
}

# What fuzzers are built with
fuzz_tools() {
    names <<'LIST'
clang              # the compiler that has libFuzzer
libclang-rt-dev    # libFuzzer and the sanitizers' libraries
libfdt-dev         # reads an arm64 guest's device tree
llvm               # tells which lines the inputs reach
LIST
}

# What Debian packages are built with, beside what debian/control asks for
deb_tools() {
    names <<'LIST'
build-essential         # what dpkg-buildpackage takes for granted
debhelper               # the steps of a package
dh-dkms                 # of the guest driver's
dh-python               # of the Python module's
dpkg-dev                # dpkg-buildpackage
libnats-dev             # of the bridge's
lintian                 # mistakes of packages
pybuild-plugin-pyproject # builds a module with a pyproject.toml
python3-all             # the Pythons that a module is for
python3-setuptools      # builds the module
LIST
}

# What tries packages in clean systems
deb_test_tools() {
    names <<'LIST'
debian-archive-keyring  # the keys of the systems' packages
git                     # which files are the project's own
mmdebstrap              # makes the systems
qemu-user-static        # starts programs for arm64 in them
LIST
}


# What proofs are made with
prove_tools() {
    names <<LIST
gcc                # CBMC's preprocessor
libc6-dev          # the headers that the sources include
$cbmc               # proves; Debian 12 has none, see cbmc.sh
LIST
}

# What the site and the pictures are made with
docs_tools() {
    names <<'LIST'
doxygen                # reads the headers
fossil                 # has pikchr, which draws
furo                   # how pages look, on a screen of any width, in the light and in the dark
git                    # which files are the project's own
mandoc                 # makes HTML of the manual
python3-breathe        # the headers' reference, from what doxygen read
python3-myst-parser    # reads Markdown
python3-sphinx         # makes the site
LIST
}

# What records a terminal
recording_tools() {
    names <<'LIST'
asciinema          # writes down what a terminal shows, and when
python3            # makes a picture of it
LIST
}

# All to build and test for an architecture; this machine's own is always among what can be built
packages() {
    case $purpose in
    --install) build_tools && libraries "$host_arch" ;;
    --check) build_tools && check_tools && libraries "$host_arch" ;;
    --bench) bench_tools ;;
    --long) long_tools ;;
    --deb) build_tools && deb_tools && libraries "$host_arch" ;;
    --test-deb) deb_test_tools && dist_tools ;;
    --fuzz) build_tools && fuzz_tools && libraries "$host_arch" ;;
    --prove) prove_tools ;;
    --docs) docs_tools ;;
    --recording) recording_tools ;;
    --dist) dist_tools ;;
    --wheel)
        build_tools && wheel_tools
        if [ "$arch" != "$host_arch" ]; then
            cross_tools "$arch"
        fi
        ;;
    esac
    [ -z "$purpose" ] || return 0
    build_tools
    check_tools
    kernel_tools
    target_packages "$host_arch"
    emulators "$host_arch"
    if [ "$arch" != "$host_arch" ]; then
        cross_tools "$arch"
        emulators "$arch"
    fi
}

# Those of the packages that are not among the installed ones
missing() {
    for package in $(packages); do
        case "$installed" in
        *" $package "*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

require_root() {
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        echo "[setup] 'apt-get $*' needs root: run it as root, or install sudo" >&2
        exit 1
    fi
}

# apt's output matters only when it fails.
try_apt() {
    require_root "$@"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >"$log" 2>&1 </dev/null
}

update_lists() {
    echo "[setup] updating the package lists"
    try_apt update || apt_failed update
}

apt_failed() {
    cat "$log" >&2
    echo "[setup] 'apt-get $*' failed: is the network there, and are the sources in /etc/apt right?" >&2
    exit 1
}

purpose=
case ${1:-} in
--install | --check | --bench | --long | --fuzz | --deb | --test-deb | --prove | --docs | --recording | --wheel | --dist)
    purpose=$1
    shift
    ;;
esac
if [ -r /etc/os-release ]; then
    # shellcheck source=/dev/null
    . /etc/os-release
fi
t64= # suffix of libraries that Debian built again for a time_t of 64 bits
cbmc=
case ${ID:-}-${VERSION_ID:-} in
debian-12) ;;
debian-13) t64=t64 cbmc=cbmc ;;
*)
    host_arch=$(uname -m | sed -e 's/x86_64/amd64/' -e 's/aarch64/arm64/')
    arch=${1:-$host_arch}
    echo "[setup] this system (${PRETTY_NAME:-unknown}) is neither Debian 12 nor 13; install what these Debian packages" >&2
    echo "[setup] hold, then build with cmake: $(packages | tr '\n' ' ')" >&2
    exit 1
    ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 143' INT TERM HUP

case ${1:-} in
--update-lists)
    update_lists
    exit 0
    ;;
--list-libraries)
    libraries "$2"
    exit 0
    ;;
--list-sysroot)
    target_packages "$2"
    exit 0
    ;;
esac
target_select "$@"

# shellcheck disable=SC2046 # a list of words is what is meant
installed=" $(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' $(packages) 2>/dev/null |
    sed -n 's/^installed //p' | tr '\n' ' ')"
wanted=$(missing)
[ -n "$wanted" ] || exit 0

echo "[setup] installing: $wanted"
# shellcheck disable=SC2086 # a list of words is what is meant
apt-cache show --quiet=2 $wanted >/dev/null 2>&1 || update_lists
# shellcheck disable=SC2086
if ! try_apt install --no-install-recommends $wanted; then
    # The archive no longer has the versions that old package lists name.
    update_lists
    # shellcheck disable=SC2086
    try_apt install --no-install-recommends $wanted || apt_failed install $wanted
fi
echo "[setup] done"
