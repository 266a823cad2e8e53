#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs the demonstration with what `make` has built: a Linux guest in a VM, and host programs at its connections.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build/host
kernel=$top/build/kernel/amd64
driver=$top/build/driver/amd64
bundle=$top/build/demo

echo "[demo]  making the guest's file system"
rm -rf "$bundle"
mkdir -p "$bundle"

# The guest: busybox, the driver, the tool, its half of the demonstration, and its own kernel as the file to send.
guest=$bundle/guest
"$top/scripts/busybox-tree" "$guest" "$top/demo/guest-init"
mkdir -p "$guest/lib/modules" "$guest/boot"
cp "$kernel/modules/uio.ko" "$driver/crossvm.ko" "$guest/lib/modules"
cp "$build/src/tool/crossvm" "$build/demo/demo-guest" "$guest/bin"
cp "$kernel/vmlinuz" "$guest/boot/vmlinuz"
"$top/scripts/make-initramfs" "$bundle/guest.cpio" "$guest"
rm -rf "$guest"

# The host's side.
ln -s "$kernel/vmlinux" "$kernel/vmlinuz" "$bundle"
cp "$build/src/vm/crossvm-vm" "$build/src/tool/crossvm" "$build/demo/demo-host" "$top/demo/host-run" "$bundle"

start=$(date +%s)
status=0
if [ "${CROSSVM_KVM:-$("$top/scripts/kvm-probe")}" = native ]; then
    echo "[demo]  running on this machine's KVM"
else
    echo "[demo]  no guest runs on this machine's KVM: booting an emulated machine that has one (some seconds)"
fi
"$top/scripts/with-kvm" --timeout 180 "$bundle" ./host-run || status=$?
seconds=$(($(date +%s) - start))
echo
if [ $status -ne 0 ]; then
    echo "DEMO FAILED (status $status, $seconds s): see the messages above"
    exit 1
fi
echo "DEMO OK: text and file went there and back unharmed, in $seconds s"
