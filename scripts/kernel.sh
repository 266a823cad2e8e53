#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# kernel.sh [ARCH]: fetches Debian's cloud kernel and what a driver for it is built with, without installing anything.
# Leaves in build/kernel/ARCH:
#
#   version    the kernel's release, as uname -r prints it
#   vmlinuz    the kernel as distributed
#   vmlinux    the same in the form that a VM starts fastest: on amd64 an ELF file, on arm64 an uncompressed Image
#   config     how it was configured
#   modules/   the modules that guests and the emulated machine need, flat
#   builtin    those of them that the kernel has without a file
#   headers    to build drivers: make -C build/kernel/ARCH/headers M=... modules
#
# Does nothing when all of them are there. To take a newer kernel, remove build/kernel/ARCH first.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=target.sh
. "$top/scripts/target.sh"
# shellcheck source=archive.sh
. "$top/scripts/archive.sh"
target_select "$@"
PATH=$PATH:/usr/sbin:/sbin # where depmod and modprobe are; users do not have it

modules="uio uio_pci_generic virtio_pci tun vsock_loopback"
# Of a host and of a guest: what bench/guest compares with
modules="$modules vhost_vsock vmw_vsock_virtio_transport vhost_net virtio_net virtio_console"
if [ "$arch" = amd64 ]; then
    modules="$modules kvm-amd" # on arm64 KVM is built in
fi

say() {
    echo "[kernel] $*"
}

fail() {
    echo "[kernel] $*" >&2
    exit 1
}

# The release that the metapackage depends on
current_release() {
    archive_show "linux-image-cloud-$arch" | sed -n 's/^Depends:.*linux-image-\([^ ,]*\).*/\1/p'
}

# What the headers need to build a driver: headers of all architectures, and programs, which run on this machine. To apt
# both are of this machine's architecture.
build_packages() {
    archive_show "linux-headers-$release" | sed -n 's/^Depends: //p' | tr -d ' ' | tr , '\n' |
        sed -n "s/^\(linux-headers-[^(]*-common\|linux-kbuild-[^(]*\).*/\1:$host_arch/p"
}

fetch_packages() {
    release=$(current_release)
    [ -n "$release" ] || archive_update
    release=$(current_release)
    [ -n "$release" ] || fail "apt knows no package linux-image-cloud-$arch: are Debian's sources in /etc/apt?"

    for attempt in first last; do
        say "downloading Debian's kernel $release (about 50 MB)"
        # shellcheck disable=SC2046 # a list of packages
        if archive_download "linux-image-$release" "linux-headers-$release" $(build_packages); then
            return
        fi
        [ $attempt = first ] || break
        # The lists may name versions that have left the archive.
        archive_update
        release=$(current_release)
        rm -f ./*.deb
    done
    cat download.log >&2
    fail "Debian's kernel $release could not be downloaded"
}

# with_dependencies MODULE: of it and of all that it depends on, what modprobe would do: "insmod FILE [OPTION...]", or "builtin
# MODULE" for what the kernel has built in
with_dependencies() {
    modprobe -d "$PWD/root" -S "$release" --show-depends "$1"
}

copy_modules() {
    mkdir products/modules
    if [ -d root/usr/lib/modules ]; then # where Debian 13 has them; depmod and modprobe look below lib
        mkdir root/lib
        mv root/usr/lib/modules root/lib/
    fi
    depmod -b "$PWD/root" "$release"
    for module in $modules; do
        with_dependencies "$module" >needed || fail "kernel $release has no module $module"
        # shellcheck disable=SC2046 # a list of files
        set -- $(sed -n 's/^insmod \([^ ]*\).*/\1/p' needed)
        [ $# -eq 0 ] || cp "$@" products/modules/
        sed -n 's/^builtin //p' needed >>products/builtin
    done
    # Debian 13 compresses them; insmod of a small guest may not know how to unpack one.
    find products/modules -name '*.xz' -exec unxz {} +
}

copy_kernel() {
    cp "root/boot/vmlinuz-$release" products/vmlinuz
    cp "root/boot/config-$release" products/config
    if [ "$arch" = amd64 ]; then
        "$top/scripts/extract-vmlinux.sh" products/vmlinuz products/vmlinux
        return
    fi
    # The magic number of an Image, which Debian does not compress for arm64.
    if [ "$(od -A n -j 56 -N 4 -t x1 products/vmlinuz | tr -d ' ')" != 41524d64 ]; then
        fail "the kernel $release for $arch is not an uncompressed Image: it starts in a way not known here"
    fi
    ln -s vmlinuz products/vmlinux
}

unpack_headers() {
    mkdir -p products/tree/usr
    mv root/usr/src root/usr/lib products/tree/usr/
    # The one absolute path in the packages is where they would be installed.
    makefile=products/tree/usr/src/linux-headers-$release/Makefile
    # shellcheck disable=SC2016 # make's variables
    sed -i 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' "$makefile"
    if grep -q '/usr/src' "$makefile"; then
        fail "$makefile names files outside the unpacked packages in a way not known here"
    fi
    ln -s "tree/usr/src/linux-headers-$release" products/headers
}

# Also false for a folder of an older version of this script, which kept fewer modules
is_complete() {
    [ -e "$kernel/version" ] || return 1
    for module in $modules; do
        [ -e "$kernel/modules/$module.ko" ] || grep -qsx "$module" "$kernel/builtin" || return 1
    done
}

if is_complete; then
    exit 0
fi

archive_open "$arch"
if is_complete; then # another run made it while this one waited
    exit 0
fi

mkdir -p "$top/build/kernel"
work=$(mktemp -d "$top/build/kernel/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir products

fetch_packages
say "unpacking it"
for package in ./*.deb; do
    dpkg -x "$package" root
done
copy_kernel
copy_modules
unpack_headers
echo "$release" >products/version

rm -rf "$kernel" # what an interrupted or older run left
mv products "$kernel"
say "ready: kernel $release"
