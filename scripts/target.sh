# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Functions that know the architectures to build for: amd64 and arm64, Debian's names. A script that sources this file sets
# $top, the project's folder.
#
#   target_all            prints all architectures that this machine can build for
#   target_select [ARCH]  without ARCH this machine's; sets
#     host_arch   this machine's architecture
#     arch        what is built for
#     cross       what the names of its compiler's programs start with; empty on a machine of that architecture
#     sysroot     its libraries and its busybox; empty (the root) on a machine of that architecture
#     programs    where the programs are built
#     kernel      Debian's kernel, see kernel.sh
#     driver      the guest driver
#     qemu        a QEMU that knows vfio-user and runs on such a machine, see qemu.sh
#
# It is a function, so that the script decides when an unknown architecture ends it.

target_host() {
    command -v dpkg >/dev/null || {
        echo "there is no dpkg, so this is not Debian, which the scripts need" >&2
        return 1
    }
    dpkg --print-architecture
}

target_all() {
    case $(target_host) in
    amd64) echo "amd64 arm64" ;;
    arm64) echo "arm64" ;; # an amd64 machine is not emulated here
    esac
}

# shellcheck disable=SC2034 # for scripts that source this
target_select() {
    host_arch=$(target_host) || exit 1
    arch=${1:-$host_arch}
    kernel=${top:?}/build/kernel/$arch
    driver=$top/build/driver/$arch
    qemu=$top/build/qemu
    case $arch-on-$host_arch in
    amd64-on-amd64 | arm64-on-arm64)
        cross=
        sysroot=
        programs=$top/build/host
        ;;
    arm64-on-amd64)
        qemu=$qemu-$arch
        cross=aarch64-linux-gnu-
        sysroot=$top/build/sysroot/arm64
        programs=$top/build/arm64
        ;;
    *)
        echo "this machine builds for $(target_all | sed 's/ / and /'), Debian's names, not for '$arch'" >&2
        exit 1
        ;;
    esac
}
