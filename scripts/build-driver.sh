#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# build-driver.sh [ARCH]: builds the guest driver, and the drivers that only tests need, for the kernel of the test guests.
# Leaves them in build/driver/ARCH; the kernel's build, which writes beside the sources, works on copies there.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=target.sh
. "$top/scripts/target.sh"
target_select "$@"
out=$driver

# kbuild has its own names of architectures. It must be given one: otherwise it takes ARCH of the make that runs this, which
# is Debian's name.
case $arch in
amd64) kernel_arch=x86 ;;
*) kernel_arch=$arch ;;
esac

[ -e "$kernel/version" ] || "$top/scripts/kernel.sh" "$arch"
version=$(cat "$kernel/version")
mkdir -p "$out"
work=$out/copy
headers=$kernel/headers
if [ "$(cat "$out/version" 2>/dev/null)" != "$version" ]; then
    rm -rf "$work" # built for another kernel
fi
# kbuild takes no path with a space or a colon: it then gets a copy of all it needs elsewhere.
case $top in
*[!A-Za-z0-9/._+-]*)
    work=$(mktemp -d /tmp/crossvm-driver.XXXXXX)
    trap 'rm -rf "$work"' EXIT
    cp -a "$kernel/tree" "$work"
    headers=$work/tree/usr/src/$(basename "$(readlink "$kernel/headers")")
    ;;
esac

# build FOLDER: the modules of one folder of the project
build() {
    copy=$work/$1
    mkdir -p "$copy"
    # With their times, so that only what changed is built again.
    cp --preserve=timestamps "$top/$1"/Kbuild "$top/$1"/*.[ch] "$copy"
    # Warnings that the kernel's developers look for (W=1) are errors. Types for BPF would need another program.
    if ! make -C "$headers" M="$copy" ARCH="$kernel_arch" CROSS_COMPILE="$cross" CROSSVM_INCLUDE="$work/include" \
        CONFIG_DEBUG_INFO_BTF_MODULES= W=1 KCFLAGS=-Werror modules >"$copy/build.log" 2>&1 </dev/null; then
        cat "$copy/build.log" >&2
        echo "[build] the driver in $1/ does not build for kernel $version" >&2
        exit 1
    fi
    cp --preserve=timestamps "$copy"/*.ko "$out"
}

mkdir -p "$work/include"
cp -R --preserve=timestamps "$top/include/crossvm" "$work/include"
build linux
build tests/guest/base_driver
cp "$kernel/version" "$out/version"
