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

# The kernel's build has names of its own for architectures. The headers say it, too, but what make was called with for
# ours would come before that.
case $arch in
amd64) kernel_arch=x86 ;;
*) kernel_arch=$arch ;;
esac

# build FOLDER: the modules of one folder of the project
build() {
    work=$out/copy/$1
    mkdir -p "$work"
    # With their times, so that only what changed is built again.
    cp --preserve=timestamps "$top/$1"/Kbuild "$top/$1"/*.[ch] "$work"
    # Warnings that the kernel's developers look for (W=1) are errors.
    if ! make -C "$kernel/headers" M="$work" ARCH="$kernel_arch" CROSS_COMPILE="$cross" CROSSVM_INCLUDE="$top/include" W=1 KCFLAGS=-Werror modules \
        >"$work/build.log" 2>&1 </dev/null; then
        cat "$work/build.log" >&2
        echo "[build] the driver in $1/ does not build for kernel $(cat "$kernel/version")" >&2
        exit 1
    fi
    cp --preserve=timestamps "$work"/*.ko "$out"
}

[ -e "$kernel/version" ] || "$top/scripts/kernel.sh" "$arch"
mkdir -p "$out"
if [ "$(cat "$out/version" 2>/dev/null)" != "$(cat "$kernel/version")" ]; then
    rm -rf "$out/copy" # built for another kernel
fi
build linux
build tests/guest/base_driver
cp "$kernel/version" "$out/version"
