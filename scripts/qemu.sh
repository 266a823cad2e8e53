#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# qemu.sh [ARCH]: makes a QEMU that knows vfio-user (10.1 or newer) runnable, without installing anything. Leaves in
# build/qemu the commands qemu-system-x86_64 and qemu-system-aarch64: the system's own where they are new enough, else
# those of Debian 13's backports, with the C library and all others that they need. ARCH is the architecture that they
# run on. If it is not this machine's, build/qemu-ARCH gets the one that emulates ARCH, for a machine that with-kvm
# emulates. Does nothing when they are there. To take newer ones, remove the folder first.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=target.sh
. "$top/scripts/target.sh"
# shellcheck source=suites.sh
. "$top/scripts/suites.sh"
target_select "$@"

if [ "$arch" = "$host_arch" ]; then
    emulators="qemu-system-x86_64 qemu-system-aarch64"
    packages="qemu-system-x86 qemu-system-arm"
else
    emulators="qemu-system-aarch64"
    packages="qemu-system-arm"
fi

say() {
    echo "[qemu] $*"
}

fail() {
    echo "[qemu] $*" >&2
    exit 1
}

# knows_vfio_user COMMAND: of this machine's architecture
knows_vfio_user() {
    "$1" -device vfio-user-pci,help 2>/dev/null | grep -q '^vfio-user-pci options'
}

# has_vfio_user EMULATOR: of those in products. The name of the device is in its program, which may not run here.
has_vfio_user() {
    if [ "$arch" = "$host_arch" ]; then
        knows_vfio_user "products/$1"
    else
        grep -q vfio-user-pci "products/bin/$1"
    fi
}

# What runs an emulator with the unpacked libraries, firmware and modules, wherever the folder is moved to
write_command() {
    cat >"products/$1" <<COMMAND
#!/bin/sh
here=\$(cd "\$(dirname "\$0")" && pwd)
QEMU_MODULE_DIR=\$here/modules exec "\$here"/lib/ld-linux-* --library-path "\$here/lib" "\$here/bin/$1" \\
    -L "\$here/firmware" "\$@"
COMMAND
    chmod +x "products/$1"
}

unpack() {
    say "downloading QEMU for $arch and its libraries from Debian 13's backports (about 60 MB)"
    # shellcheck disable=SC2086 # a list of packages
    if ! suites_resolve "$arch" "trixie trixie-backports" $packages; then
        cat log >&2
        fail "QEMU could not be downloaded: is the network there?"
    fi
    mkdir -p products/bin products/firmware
    mv root/usr/lib/*-linux-gnu/qemu products/modules
    mv root/usr/lib/*-linux-gnu products/lib
    cp root/usr/share/seabios/* root/usr/share/qemu/*.bin root/usr/share/qemu/*.rom products/firmware/
    for emulator in $emulators; do
        cp -L "root/usr/bin/$emulator" products/bin/
        write_command "$emulator"
    done
}

link_installed() {
    [ "$arch" = "$host_arch" ] || return 1
    mkdir products
    for emulator in $emulators; do
        command=$(command -v "$emulator") && knows_vfio_user "$command" || return 1
        ln -s "$command" "products/$emulator"
    done
}

# Of packages if there are any, since what they hold may not run here
version() {
    if [ -d cache ]; then
        dpkg-deb --field cache/archives/qemu-system-arm_*.deb Version | sed 's/^[0-9]*:\([0-9.]*\).*/\1/'
    else
        products/qemu-system-aarch64 --version | sed -n '1s/.*version \([^ ]*\).*/\1/p'
    fi
}

[ ! -e "$qemu/version" ] || exit 0
mkdir -p "$top/build"
exec 9>"$top/build/.qemu.lock"
flock 9
[ ! -e "$qemu/version" ] || exit 0 # another run made it while this one waited

work=$(mktemp -d "$top/build/.qemu.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
if ! link_installed; then
    rm -rf products
    unpack
fi
for emulator in $emulators; do
    has_vfio_user "$emulator" || fail "$emulator, version $(version), knows no vfio-user"
done
version >products/version

rm -rf "$qemu" # what an interrupted run left
mv products "$qemu"
say "ready: QEMU $(cat "$qemu/version")"
