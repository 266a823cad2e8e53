#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh LOG SCENARIOS: runs the test VMM with one VM for each of the scenarios, and keeps what the guests print in LOG.
# Succeeds if all guests ended; the cases are judged one by one, see case.sh.
set -eu

log=$1
scenarios=$2
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build/host
kernel=$top/build/kernel/amd64
driver=$top/build/driver/amd64
bundle=$top/build/guest-tests

rm -rf "$bundle"
mkdir -p "$bundle"
guest=$bundle/guest
"$top/scripts/busybox-tree" "$guest" "$top/tests/guest/init"
mkdir -p "$guest/lib/modules"
cp "$kernel/modules/uio.ko" "$kernel/modules/uio_pci_generic.ko" "$driver/crossvm.ko" "$driver/base_driver.ko" \
    "$guest/lib/modules"
cp "$build/tests/guest/guest-cases" "$guest/bin"
"$top/scripts/make-initramfs" "$bundle/guest.cpio" "$guest"
rm -rf "$guest"
ln -s "$kernel/vmlinux" "$bundle"
cp "$build/tests/guest/guest-vmm" "$bundle"

# shellcheck disable=SC2086 # the scenarios are words
"$top/scripts/with-kvm" --timeout 600 "$bundle" ./guest-vmm vmlinux guest.cpio \
    "console=ttyS0 panic=-1 quiet rcupdate.rcu_expedited=1" $scenarios 2>&1 | tee "$log"
grep -a -q '^scenario .*: .* failed' "$log"
