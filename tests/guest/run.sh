#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh LOG SCENARIO [MACHINE]: runs the guests of a scenario and keeps what they print in LOG. Succeeds if the
# scenario came to its end; judge.sh judges the cases one by one. MACHINE is amd64, arm64-gicv3 or arm64-gicv2; without
# it, one of this machine's architecture. Scenarios:
#   device, many, smp  guest-vmm with one VM of that scenario
#   pair               the same with two VMs in one process
#   host               `crossvm run`, and cases at the host's ends
#   peers              `crossvm run` with three guests
#   boot               crossvm-vm with kernels of each form, what it refuses, and system calls that it is refused
#
# LOG.second-try is there afterwards if the scenario needed one; it holds the log of the first.
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

rm -rf "$bundle" "$log.second-try"
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

tests=$top/tests/guest
built=$programs/tests/guest
ln -s "$kernel/vmlinux" "$bundle"
case $scenario in
host)
    guest_image guest.cpio "$tests/agent/init" "$built/guest-agent"
    cp "$tests/host/topology.yaml" "$built/host-cases" "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" \
        "$bundle"
    set -- ./host-cases "$interrupts"
    ;;
peers)
    guest_image guest.cpio "$tests/agent/init" "$built/guest-agent"
    cp "$tests/peers/topology.yaml" "$built/peer-cases" "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" \
        "$bundle"
    set -- ./peer-cases
    ;;
boot)
    guest_image boot.cpio "$tests/boot/init"
    ln -s "$kernel/vmlinuz" "$bundle"
    cp "$tests/boot/boot-cases" "$programs/src/vm/crossvm-vm" "$programs/tests/sandbox/make-call" \
        "$built/fault-cases" "$built/tiny-guest" "$programs/src/tool/crossvm" "$bundle"
    cp "$tests/faults/topology.yaml" "$bundle/faults.yaml"
    # shellcheck disable=SC2046 # two words: how many system calls fail, and the seed that chooses them
    set -- ./boot-cases "$arch" $(PYTHONPATH=$top/tests/qemu python3 -B -c "import rounds; print(rounds.CALLS, rounds.seed)")
    ;;
*)
    guest_image guest.cpio "$tests/cases/init" "$built/guest-cases"
    cp "$built/guest-vmm" "$bundle"
    set -- ./guest-vmm vmlinux guest.cpio \
        "console=ttyS0 panic=-1 oops=panic softlockup_panic=1 watchdog_thresh=60 quiet rcupdate.rcu_expedited=1" "$scenario"
    [ "$scenario" != pair ] || set -- "$@" pair
    ;;
esac

# The timeout only bounds what hangs. It is longer than what cases wait for: HANG_MS, twice, and all that runs before.
run_guests() {
    # Lines of a console end with a carriage return, too.
    # shellcheck disable=SC2086 # an option and its value, or nothing
    "$top/scripts/with-kvm" --arch "$arch" $gic --timeout 3600 "$bundle" "$@" 2>&1 | sed -u 's/\r$//' | tee "$log"
}

came_to_its_end() {
    grep -a -q '^scenario .*: .* failed' "$log"
}

# QEMU's emulation of SVM sometimes loses or mixes up interrupts, mostly of a guest with two vCPUs. A guest that loses
# its timer interrupt hangs, and in most cases its kernel reports that. The scenario is then run once more.
lost_its_timer() {
    [ "$arch" = amd64 ] && [ "${CROSSVM_KVM:-$("$top/scripts/kvm-probe")}" = emulated ] &&
        grep -a -q -e 'soft lockup - CPU' -e 'rcu_preempt kthread timer wakeup' -e 'the guest stood still' \
            -e 'with-kvm: .* did not end within' "$log"
}

run_guests "$@"
if ! came_to_its_end && lost_its_timer; then
    echo "a guest stood still, as one may where QEMU emulates SVM: running the scenario once more"
    mv "$log" "$log.second-try"
    run_guests "$@"
fi
came_to_its_end
