#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh [ARCH]: the cost of a channel between a guest and its host, in instructions of both with their kernels, which
# an emulated machine counts. Counts repeat within a few per mille; times do not. ARCH is arm64 by default: while QEMU
# counts, its emulation of AMD SVM delivers interrupts twice, so an amd64 guest can hang, and with two CPUs always
# does.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../scripts/target.sh
. "$top/scripts/target.sh"
target_select "${1:-arm64}"
bundle=$top/build/bench-guest/$arch

rm -rf "$bundle"
mkdir -p "$bundle"
"$top/scripts/busybox-tree" "$bundle/guest" "$top/bench/guest/guest-init" "$sysroot/bin/busybox"
mkdir -p "$bundle/guest/lib/modules"
cp "$kernel/modules/uio.ko" "$driver/crossvm.ko" "$bundle/guest/lib/modules"
cp "$programs/src/tool/crossvm" "$bundle/guest/bin"
"$top/scripts/make-initramfs" "$bundle/guest.cpio" "$bundle/guest"
rm -rf "$bundle/guest"
ln -s "$kernel/vmlinux" "$bundle"
cp "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" "$top/bench/guest/host-run" \
    "$top/bench/guest/topology.yaml" "$bundle"

printf '%-52s %12s %8s\n' "guest and host, $arch" instructions exits
echo "on one CPU"
"$top/scripts/with-kvm" --arch "$arch" --icount --smp 1 "$bundle" ./host-run one
[ "$arch" != amd64 ] || exit 0
echo "on two CPUs, one each"
"$top/scripts/with-kvm" --arch "$arch" --icount --smp 2 "$bundle" ./host-run two
