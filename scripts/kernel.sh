#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Fetches Debian's cloud kernel and what a driver for it is built with, without installing anything. Leaves in
# build/kernel/amd64:
#
#   version    the kernel's release, as uname -r prints it
#   vmlinuz    the kernel as distributed
#   vmlinux    the same as an ELF file, which starts faster
#   config     how it was configured
#   modules/   the modules that test guests and the emulated machine need, flat
#   headers    to build drivers: make -C build/kernel/amd64/headers M=... modules
#
# Does nothing when they are there. To take a newer kernel, remove build/kernel/amd64 first.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
architecture=amd64
products=$top/build/kernel/$architecture
modules="uio uio_pci_generic kvm-amd"
PATH=$PATH:/usr/sbin:/sbin # depmod and modprobe, for a caller who is not root

say() {
    echo "[kernel] $*"
}

fail() {
    echo "[kernel] $*" >&2
    exit 1
}

# The release that the metapackage stands for now
current_release() {
    apt-cache --no-all-versions show "linux-image-cloud-$architecture" 2>/dev/null |
        sed -n 's/^Depends:.*linux-image-\([^ ,]*\).*/\1/p'
}

# download PACKAGE...: into the current folder
download() {
    # As root apt would hand the download to a user of its own, who need not have access to this folder.
    apt-get -q -o APT::Sandbox::User=root download "$@" >download.log 2>&1
}

fetch_packages() {
    release=$(current_release)
    [ -n "$release" ] || "$top/scripts/setup.sh" --update-lists
    release=$(current_release)
    [ -n "$release" ] || fail "apt knows no package linux-image-cloud-$architecture: are Debian's sources in /etc/apt?"

    for attempt in first last; do
        kbuild=linux-kbuild-$(echo "$release" | cut -d . -f 1,2)
        common=linux-headers-${release%-cloud-"$architecture"}-common
        say "downloading Debian's kernel $release (about 40 MB)"
        if download "linux-image-$release" "linux-headers-$release" "$common" "$kbuild"; then
            return
        fi
        [ $attempt = first ] || break
        # The lists may name versions that have left the archive.
        "$top/scripts/setup.sh" --update-lists
        release=$(current_release)
        rm -f ./*.deb
    done
    cat download.log >&2
    fail "Debian's kernel $release could not be downloaded"
}

# with_dependencies MODULE: its file in the unpacked kernel, and those of all it depends on
with_dependencies() {
    # modprobe says "insmod FILE [OPTION...]" for each.
    modprobe -d "$PWD/root" -S "$release" --show-depends "$1" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
}

copy_modules() {
    mkdir products/modules
    depmod -b "$PWD/root" "$release"
    for module in $modules; do
        files=$(with_dependencies "$module")
        [ -n "$files" ] || fail "kernel $release has no module $module"
        # shellcheck disable=SC2086 # a list of files
        cp $files products/modules/
    done
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

[ ! -e "$products/version" ] || exit 0

mkdir -p "$(dirname "$products")"
exec 9>"$(dirname "$products")/.lock"
flock 9
[ ! -e "$products/version" ] || exit 0 # another run made it while this one waited

work=$(mktemp -d "$top/build/kernel/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir products

fetch_packages
say "unpacking it"
for package in ./*.deb; do
    dpkg -x "$package" root
done
cp "root/boot/vmlinuz-$release" products/vmlinuz
cp "root/boot/config-$release" products/config
"$top/scripts/extract-vmlinux.sh" products/vmlinuz products/vmlinux
copy_modules
unpack_headers
echo "$release" >products/version

rm -rf "$products" # what an interrupted or older run left
mv products "$products"
say "ready: kernel $release"
