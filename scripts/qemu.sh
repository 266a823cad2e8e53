#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# qemu.sh: makes a QEMU that knows vfio-user (10.1 or newer) runnable, without installing anything. Leaves in build/qemu
# the commands qemu-system-x86_64 and qemu-system-aarch64: the system's own where they are new enough, else those of
# Debian 13's backports, with the C library and all others that they need. Does nothing when they are there. To take
# newer ones, remove build/qemu first.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
qemu=$top/build/qemu
emulators="qemu-system-x86_64 qemu-system-aarch64"

say() {
    echo "[qemu] $*"
}

fail() {
    echo "[qemu] $*" >&2
    exit 1
}

# knows_vfio_user COMMAND
knows_vfio_user() {
    "$1" -device vfio-user-pci,help 2>/dev/null | grep -q '^vfio-user-pci options'
}

# apt with lists, a cache and a (lack of) installed packages of our own: neither the system's sources nor what is installed
# counts, so that it names all that the emulators need.
private_apt() {
    program=$1
    shift
    "$program" -q -y -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$work/apt" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" "$@"
}

fetch_packages() {
    mkdir -p apt/lists/partial cache/archives/partial
    : >status
    for suite in trixie trixie-backports; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main"
    done >sources.list
    say "downloading QEMU and its libraries from Debian 13's backports (about 60 MB)"
    if ! private_apt apt-get update >log 2>&1 ||
        ! private_apt apt-get install --download-only -t trixie-backports qemu-system-x86 qemu-system-arm >>log 2>&1; then
        cat log >&2
        fail "QEMU could not be downloaded: is the network there?"
    fi
}

# What runs an emulator with the unpacked libraries, firmware and modules, wherever build/qemu is moved to
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
    say "unpacking it"
    for package in cache/archives/*.deb; do
        dpkg -x "$package" root
    done
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
    mkdir products
    for emulator in $emulators; do
        command=$(command -v "$emulator") && knows_vfio_user "$command" || return 1
        ln -s "$command" "products/$emulator"
    done
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
    fetch_packages
    unpack
fi
for emulator in $emulators; do
    knows_vfio_user "products/$emulator" || fail "$emulator of $(products/"$emulator" --version | head -n 1) knows no vfio-user"
done
"products/qemu-system-x86_64" --version | sed -n '1s/.*version \([^ ]*\).*/\1/p' >products/version

rm -rf "$qemu" # what an interrupted run left
mv products "$qemu"
say "ready: QEMU $(cat "$qemu/version")"
