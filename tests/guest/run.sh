#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh LOG SCENARIO: runs the guests of a scenario and keeps what they print in LOG. Succeeds if they came to their end;
# the cases are judged one by one, see case.sh.
#   device, many, smp  the test VMM with one VM of that scenario
#   pair               the same with two VMs in one process
#   host               crossvm-vm, and tests at the host's ends
#   boot               crossvm-vm with kernels of each form, and what it refuses
set -eu

log=$1
scenario=$2
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build/host
kernel=$top/build/kernel/amd64
driver=$top/build/driver/amd64
bundle=$top/build/guest-tests/$scenario

rm -rf "$bundle"
mkdir -p "$bundle"

# guest_image NAME INIT PROGRAM...: an initramfs in the bundle, of busybox, the drivers and programs
guest_image() {
    image=$1
    tree=$bundle/tree
    "$top/scripts/busybox-tree" "$tree" "$2"
    shift 2
    mkdir -p "$tree/lib/modules"
    cp "$kernel/modules/uio.ko" "$kernel/modules/uio_pci_generic.ko" "$driver/crossvm.ko" "$driver/base_driver.ko" \
        "$tree/lib/modules"
    mkdir -p "$tree/etc" "$tree/lib/mdev"
    cp "$top/linux/mdev.conf" "$tree/etc"
    cp "$top/linux/mdev-crossvm" "$tree/lib/mdev"
    for program in "$@"; do
        cp "$program" "$tree/bin"
    done
    "$top/scripts/make-initramfs" "$bundle/$image" "$tree"
    rm -rf "$tree"
}

ln -s "$kernel/vmlinux" "$bundle"
case $scenario in
host)
    guest_image guest.cpio "$top/tests/guest/host/init" "$build/tests/guest/guest-echo"
    cp "$build/tests/guest/host-cases" "$build/src/vm/crossvm-vm" "$build/src/tool/crossvm" "$bundle"
    set -- ./host-cases ./crossvm-vm --kernel vmlinux --initrd guest.cpio --append quiet --stats \
        --connection echo,64K --connection base,8K,legacy --connection idle,4K --connection early,4K \
        --connection control,4K --connection rights,64K:host,64K:guest
    ;;
boot)
    guest_image boot.cpio "$top/tests/guest/host/boot-init"
    ln -s "$kernel/vmlinuz" "$bundle"
    cp "$top/tests/guest/host/boot-cases" "$build/src/vm/crossvm-vm" "$bundle"
    set -- ./boot-cases
    ;;
*)
    guest_image guest.cpio "$top/tests/guest/init" "$build/tests/guest/guest-cases"
    cp "$build/tests/guest/guest-vmm" "$bundle"
    set -- ./guest-vmm vmlinux guest.cpio "console=ttyS0 panic=-1 quiet rcupdate.rcu_expedited=1" "$scenario"
    [ "$scenario" != pair ] || set -- "$@" pair
    ;;
esac

# Lines of a console end with a carriage return, too.
"$top/scripts/with-kvm" --timeout 300 "$bundle" "$@" 2>&1 | sed -u 's/\r$//' | tee "$log"
grep -a -q '^scenario .*: .* failed' "$log"
