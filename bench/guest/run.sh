#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh [ARCH [VMM...]]: the cost of a channel between a guest and its host, in instructions of both with their kernels,
# which an emulated machine counts. Counts repeat within a few per mille; times do not. ARCH is arm64 by default: while
# QEMU counts, its emulation of AMD SVM delivers interrupts twice, so an amd64 guest can hang, and with two CPUs always
# does. VMM is crossvm-vm, or a door of a stock QEMU: ivshmem or vfio-user; virtio-vsock is what one would use there without
# crossvm. Without one, all that are there for ARCH.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../scripts/target.sh
. "$top/scripts/target.sh"
target_select "${1:-arm64}"
[ $# -eq 0 ] || shift
if [ $# -eq 0 ] && [ "$arch" = arm64 ]; then
    set -- crossvm-vm ivshmem vfio-user virtio-vsock
elif [ $# -eq 0 ]; then
    set -- crossvm-vm
fi
bundle=$top/build/bench-guest/$arch

# The emulated machine has no QEMU, so the bundle brings one. Its guest gets what that of crossvm-vm has: no PMU and no
# count of stolen time, which both cost something each time the CPU goes from guest to host or back.
add_qemu() {
    [ "$arch" = arm64 ] || {
        echo "run.sh: a stock QEMU is measured on arm64 only, not on $arch" >&2
        exit 2
    }
    if [ ! -e "$bundle/qemu" ]; then
        "$top/scripts/qemu.sh" "$arch"
        mkdir "$bundle/qemu"
        cp -RL "$qemu/bin" "$qemu/lib" "$qemu/qemu-system-aarch64" "$bundle/qemu"
    fi
}

# topology DOOR: with a QEMU as the VMM
topology() {
    sed '/^    vmm:/,$d' "$top/bench/guest/topology.yaml"
    cat <<TEXT
    vmm: qemu
    door: $1
    program: qemu/qemu-system-aarch64
    arguments: [-cpu, "host,pmu=off,kvm-steal-time=off", -nic, none]
TEXT
    sed '1,/^    vmm:/d' "$top/bench/guest/topology.yaml"
}

# The same, with a socket instead of connections
vsock_topology() {
    topology ivshmem | sed '/^connections:/,$d
        s/\(command_line: .*\)/\1 vsock=5000/
        s/-nic, none/&, -device, "vhost-vsock-pci,guest-cid=3"/'
}

# The host's modules
add_vsock() {
    mkdir -p "$bundle/modules"
    for module in vhost_iotlb vhost vsock vmw_vsock_virtio_transport_common vhost_vsock; do
        cp "$kernel/modules/$module.ko" "$bundle/modules"
    done
}

"$top/scripts/quietly" "[bench] building the programs at sockets" cmake --build "$programs" --target socket_bench
rm -rf "$bundle"
mkdir -p "$bundle"
"$top/scripts/busybox-tree" "$bundle/guest" "$top/bench/guest/guest-init" "$sysroot/bin/busybox"
mkdir -p "$bundle/guest/lib/modules"
cp "$kernel"/modules/*.ko "$driver/crossvm.ko" "$bundle/guest/lib/modules"
cp "$programs/src/tool/crossvm" "$programs/bench/guest/socket_bench" "$bundle/guest/bin"
"$top/scripts/make-initramfs" "$bundle/guest.cpio" "$bundle/guest"
rm -rf "$bundle/guest"
ln -s "$kernel/vmlinux" "$bundle"
cp "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" "$programs/bench/guest/socket_bench" \
    "$top/bench/guest/host-run" "$bundle"
for vmm; do
    case $vmm in
    crossvm-vm) cp "$top/bench/guest/topology.yaml" "$bundle/$vmm.yaml" ;;
    ivshmem | vfio-user)
        add_qemu
        topology "$vmm" >"$bundle/$vmm.yaml"
        ;;
    virtio-vsock)
        add_qemu
        add_vsock
        vsock_topology >"$bundle/$vmm.yaml"
        ;;
    *)
        echo "run.sh: '$vmm' is nothing to measure: it can be crossvm-vm, ivshmem, vfio-user or virtio-vsock" >&2
        exit 2
        ;;
    esac
done

# measure CPUS WORD VMM...
measure() {
    cpus=$1
    shift
    "$top/scripts/with-kvm" --arch "$arch" --icount --smp "$cpus" --memory 2048 --timeout 1800 "$bundle" ./host-run "$@"
}

printf '%-58s %12s %8s\n' "guest and host, $arch" instructions exits
echo "on one CPU"
measure 1 one "$@"
[ "$arch" != amd64 ] || exit 0
echo "on two CPUs, one each"
measure 2 two "$@"
