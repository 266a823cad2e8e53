#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh [ARCH [VMM...]]: the cost of a channel between a guest and its host, in instructions of both with their kernels,
# which an emulated machine counts. Counts repeat within a few per mille; times do not. ARCH is arm64 by default: while
# QEMU counts, its emulation of AMD SVM delivers interrupts twice, so an amd64 guest can hang, and with two CPUs always
# does. VMM is crossvm-vm, or a door of a stock QEMU: ivshmem or vfio-user. Or it is what one would use there without
# crossvm: virtio-vsock and virtio-net, which the host's kernel serves (vhost), virtio-serial, and raw-ivshmem, which needs
# two CPUs; or `sockets` of the host alone, without a guest. Without a VMM, all that are there for ARCH. Instead of one,
# `budget` measures what bench/budget.py holds.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../scripts/target.sh
. "$top/scripts/target.sh"
target_select "${1:-arm64}"
[ $# -eq 0 ] || shift
if [ $# -eq 0 ] && [ "$arch" = arm64 ]; then
    set -- sockets crossvm-vm ivshmem vfio-user virtio-vsock virtio-net virtio-serial raw-ivshmem
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

# rival_topology NAME OPTION...: the same, with something else instead of connections, which these options of QEMU make
rival_topology() {
    name=$1
    shift
    options=$(printf ', "%s"' "$@")
    topology ivshmem | sed "/^connections:/,\$d
        s/\(command_line: .*\)/\1 rival=$name/
        s|-nic, none|&$options|"
}

# add_modules NAME...: of the host
add_modules() {
    mkdir -p "$bundle/modules"
    for module; do
        cp "$kernel/modules/$module.ko" "$bundle/modules"
    done
}

add_rival() {
    add_qemu
    case $1 in
    virtio-vsock)
        add_modules vhost_iotlb vhost vsock vmw_vsock_virtio_transport_common vhost_vsock
        set -- "$1" -device vhost-vsock-pci,guest-cid=3
        ;;
    virtio-net)
        add_modules vhost_iotlb vhost tun tap vhost_net
        set -- "$1" -netdev tap,id=net,ifname=crossvm0,script=no,downscript=no,vhost=on \
            -device virtio-net-pci,netdev=net,romfile=
        ;;
    virtio-serial)
        set -- "$1" -chardev socket,id=serial,path=/tmp/crossvm-bench-serial,server=on,wait=off \
            -device virtio-serial-pci -device virtserialport,chardev=serial
        ;;
    raw-ivshmem)
        set -- "$1" -object memory-backend-file,id=raw,mem-path=/dev/shm/crossvm-bench-ivshmem,size=32M,share=on \
            -device ivshmem-plain,memdev=raw
        ;;
    esac
    rival_topology "$@" >"$bundle/$1.yaml"
}

"$top/scripts/quietly" "[bench] building the rivals" cmake --build "$programs" --target rival_bench
rm -rf "$bundle"
mkdir -p "$bundle"
"$top/scripts/busybox-tree" "$bundle/guest" "$top/bench/guest/guest-init" "$sysroot/bin/busybox"
mkdir -p "$bundle/guest/lib/modules"
cp "$kernel"/modules/*.ko "$driver/crossvm.ko" "$bundle/guest/lib/modules"
cp "$programs/src/tool/crossvm" "$programs/bench/guest/rival_bench" "$bundle/guest/bin"
"$top/scripts/make-initramfs" "$bundle/guest.cpio" "$bundle/guest"
rm -rf "$bundle/guest"
ln -s "$kernel/vmlinux" "$bundle"
cp "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" "$programs/bench/guest/rival_bench" \
    "$top/bench/guest/host-run" "$bundle"
for vmm; do
    case $vmm in
    crossvm-vm)
        add_modules tun
        cp "$top/bench/guest/topology.yaml" "$bundle/$vmm.yaml"
        ;;
    ivshmem | vfio-user)
        add_modules tun
        add_qemu
        topology "$vmm" >"$bundle/$vmm.yaml"
        ;;
    sockets) ;;
    virtio-vsock | virtio-net | virtio-serial | raw-ivshmem) add_rival "$vmm" ;;
    budget) cp "$top/bench/guest/topology.yaml" "$bundle/crossvm-vm.yaml" ;;
    *)
        echo "run.sh: '$vmm' is nothing to measure: it can be crossvm-vm, ivshmem, vfio-user, virtio-vsock, virtio-net," \
            "virtio-serial, raw-ivshmem or sockets" >&2
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

# What can share a CPU with the host's program: a ring alone has nothing to wait for.
one=
for vmm; do
    [ "$vmm" = raw-ivshmem ] || one="$one $vmm"
done
echo "[bench] guest and host, $arch, on one CPU"
# shellcheck disable=SC2086 # a list of words
measure 1 one $one
[ "$arch" != amd64 ] && [ "$1" != budget ] || exit 0
echo "[bench] guest and host, $arch, on two CPUs, one each"
measure 2 two "$@"
