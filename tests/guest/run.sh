#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh LOG SCENARIO [MACHINE]: runs the guests of a scenario and keeps what they print in LOG. Succeeds if they came to
# their end; the cases are judged one by one, see case.sh. MACHINE is amd64, arm64-gicv3 or arm64-gicv2; without it, one of
# this machine's architecture. Scenarios:
#   device, many, smp  the test VMM with one VM of that scenario
#   pair               the same with two VMs in one process
#   host               crossvm-vm, and tests at the host's ends
#   peers              `crossvm run` with three guests
#   boot               crossvm-vm with kernels of each form, and what it refuses
set -eu

log=$1
scenario=$2
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../scripts/target.sh
. "$top/scripts/target.sh"
machine=${3:-$(target_host | sed 's/^arm64$/arm64-gicv3/')}
target_select "${machine%-gicv*}"
# The interrupts of connections are MSIs where the interrupt controller takes them.
case $machine in
*-gicv2) interrupts=intx ;;
*) interrupts=msi ;;
esac
case $machine in
*-gicv*) gic="--gic ${machine##*-gicv}" ;;
*) gic= ;;
esac
bundle=$top/build/guest-tests/$machine-$scenario

rm -rf "$bundle"
mkdir -p "$bundle"

# guest_image NAME INIT PROGRAM...: an initramfs in the bundle, of busybox, the drivers and programs
guest_image() {
    image=$1
    tree=$bundle/tree
    "$top/scripts/busybox-tree" "$tree" "$2" "$sysroot/bin/busybox"
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
    guest_image guest.cpio "$top/tests/guest/host/init" "$programs/tests/guest/guest-echo"
    cp "$programs/tests/guest/host-cases" "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" "$bundle"
    set -- ./host-cases "$interrupts" ./crossvm-vm --kernel vmlinux --initramfs guest.cpio --command-line quiet --stats \
        --connection echo,64K --connection base,8K,base-block-only --connection idle,4K --connection early,4K \
        --connection control,4K --connection rights,64K:host,64K:guest
    ;;
peers)
    guest_image guest.cpio "$top/tests/guest/peers/init" "$programs/tests/guest/guest-peer"
    cp "$top/tests/guest/peers/topology.yaml" "$programs/tests/guest/peer-cases" "$programs/src/vm/crossvm-vm" \
        "$programs/src/tool/crossvm" "$bundle"
    set -- ./peer-cases
    ;;
boot)
    guest_image boot.cpio "$top/tests/guest/host/boot-init"
    ln -s "$kernel/vmlinuz" "$bundle"
    cp "$top/tests/guest/host/boot-cases" "$programs/src/vm/crossvm-vm" "$bundle"
    set -- ./boot-cases "$arch"
    ;;
*)
    guest_image guest.cpio "$top/tests/guest/init" "$programs/tests/guest/guest-cases"
    cp "$programs/tests/guest/guest-vmm" "$bundle"
    set -- ./guest-vmm vmlinux guest.cpio \
        "console=ttyS0 panic=-1 softlockup_panic=1 quiet rcupdate.rcu_expedited=1" "$scenario"
    [ "$scenario" != pair ] || set -- "$@" pair
    ;;
esac

run_guests() {
    # Lines of a console end with a carriage return, too.
    # shellcheck disable=SC2086 # an option and its value, or nothing
    "$top/scripts/with-kvm" --arch "$arch" $gic --timeout 300 "$bundle" "$@" 2>&1 | sed -u 's/\r$//' | tee "$log"
}

came_to_its_end() {
    grep -a -q '^scenario .*: .* failed' "$log"
}

# QEMU's emulation of SVM is known to mix up interrupts, mostly a guest's with two vCPUs. Who loses its timer to that stands
# still, and mostly its kernel says so. Another run is then worth it, and one only.
lost_its_timer() {
    [ "$arch" = amd64 ] && [ "${CROSSVM_KVM:-$("$top/scripts/kvm-probe")}" = emulated ] &&
        grep -a -q 'soft lockup - CPU\|rcu_preempt kthread timer wakeup\|the guest stood still\|with-kvm: .* did not end within' "$log"
}

run_guests "$@"
if ! came_to_its_end && lost_its_timer; then
    echo "a guest stood still, as one may where QEMU emulates SVM: running it once more"
    run_guests "$@"
fi
came_to_its_end
