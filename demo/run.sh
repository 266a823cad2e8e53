#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh [ARCH]: runs the demonstration with what `make` has built for an architecture, or else for this machine's: two
# Linux guests in VMs, joined to each other and to programs on the host. VMM=qemu, the default, is stock QEMU without
# KVM; VMM=crossvm-vm is this project's own VMM, on KVM here or in an emulated machine.
set -eu

vmm=${VMM:-qemu}
case $vmm in
qemu | crossvm-vm) ;;
*)
    echo "VMM=$vmm is no VMM of the demonstration; choose VMM=qemu or VMM=crossvm-vm" >&2
    exit 2
    ;;
esac

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../scripts/target.sh
. "$top/scripts/target.sh"
target_select "$@"
bundle=$top/build/demo/$arch

echo "[demo]  making the guests' file system"
rm -rf "$bundle"
mkdir -p "$bundle"

# One for both guests: busybox, the driver, the tool, and a tree to send, the project's own sources and the kernel.
guest=$bundle/guest
"$top/scripts/busybox-tree" "$guest" "$top/demo/guest-init" "$sysroot/bin/busybox"
mkdir -p "$guest/lib/modules" "$guest/data"
cp "$kernel/modules/uio.ko" "$driver/crossvm.ko" "$guest/lib/modules"
cp "$programs/src/tool/crossvm" "$guest/bin"
cp -R "$top/include" "$top/src" "$top/kvm" "$top/linux" "$top/docs" "$guest/data"
cp "$kernel/vmlinuz" "$guest/data"
(cd "$guest/data" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1) \
    >"$bundle/tree-hash"
"$top/scripts/make-initramfs" "$bundle/guest.cpio" "$guest"
rm -rf "$guest"

# The host's side.
ln -s "$kernel/vmlinux" "$bundle"
cp "$top/demo/host-run" "$bundle"

# On this machine, whose own programs serve guests of any architecture.
run_qemu() {
    case $arch in
    amd64) emulator="qemu-system-x86_64" ;;
    arm64) emulator="qemu-system-aarch64" ;;
    esac
    installed=$(command -v "$emulator")
    [ "$arch" = "$host_arch" ] || "$top/scripts/build-tree" host
    "$top/scripts/qemu.sh"
    ln -s "$top/build/qemu" "$bundle/newer"
    ln -s "$(dirname "$installed")" "$bundle/installed"
    sed "s/qemu-system-x86_64/$emulator/" "$top/demo/topology-qemu.yaml" >"$bundle/topology.yaml"
    cp "$top/build/host/src/tool/crossvm" "$top/build/host/demo/demo-reverse" "$bundle"
    version() { "$bundle/$1/$emulator" --version | sed -n '1s/.*version \([^ ]*\).*/\1/p'; }
    echo "[demo]  alpha in QEMU $(version newer) over vfio-user, beta in QEMU $(version installed) over ivshmem, no KVM"
    (cd "$bundle" && timeout 900 ./host-run)
}

run_crossvm_vm() {
    cp "$programs/src/vm/crossvm-vm" "$programs/src/tool/crossvm" "$programs/demo/demo-reverse" \
        "$top/demo/topology.yaml" "$bundle"
    if [ "$arch" != "$host_arch" ]; then
        echo "[demo]  booting an emulated $arch machine that has KVM (some seconds)"
    elif [ "${CROSSVM_KVM:-$("$top/scripts/kvm-probe")}" = native ]; then
        echo "[demo]  running on this machine's KVM"
    else
        echo "[demo]  no guest runs on this machine's KVM: booting an emulated machine that has one (some seconds)"
    fi
    "$top/scripts/with-kvm" --arch "$arch" --timeout 900 "$bundle" ./host-run
}

start=$(date +%s)
status=0
if [ "$vmm" = qemu ]; then
    run_qemu || status=$?
else
    run_crossvm_vm || status=$?
fi
seconds=$(($(date +%s) - start))
echo
if [ $status -ne 0 ]; then
    echo "DEMO FAILED (status $status, $seconds s): see the messages above"
    exit 1
fi
echo "DEMO OK: text came back reversed, and a tree of files crossed from guest to guest unharmed, in $seconds s"
