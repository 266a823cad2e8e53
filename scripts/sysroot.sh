#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# sysroot.sh [ARCH]: unpacks static libraries and busybox of another architecture in build/sysroot/ARCH, from Debian's
# packages. They are not installed, so their versions need not be those of installed packages. Does nothing when all is there,
# or when ARCH is this machine's architecture.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=target.sh
. "$top/scripts/target.sh"
# shellcheck source=archive.sh
. "$top/scripts/archive.sh"
target_select "$@"

[ -n "$sysroot" ] || exit 0
wanted=$("$top/scripts/setup.sh" --list-sysroot "$arch")

is_complete() {
    [ "$(cat "$sysroot/packages" 2>/dev/null)" = "$wanted" ]
}

! is_complete || exit 0
archive_open "$arch"
! is_complete || exit 0 # another run made it while this one waited

mkdir -p "$top/build/sysroot"
work=$(mktemp -d "$top/build/sysroot/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# shellcheck disable=SC2086 # a list of packages
set -- $wanted
echo "[setup] downloading for $arch: $*"
# The lists may be missing, or name versions that have left the archive.
if ! archive_download "$@"; then
    archive_update
    archive_download "$@" || {
        cat download.log >&2
        echo "[setup] packages for $arch could not be downloaded: is the network there?" >&2
        exit 1
    }
fi
for package in ./*.deb; do
    dpkg -x "$package" products
done
[ -e products/bin ] || ln -s usr/bin products/bin # on Debian 13 packages have nothing in /bin
echo "$wanted" >products/packages
rm -rf "$sysroot"
mv products "$sysroot"
