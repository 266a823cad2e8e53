#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# build.sh [ARCH...]: sets up what is missing, and builds the programs and the guest driver for each architecture; without
# one, for this machine's.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=target.sh
. "$top/scripts/target.sh"

# shellcheck disable=SC2154 # target_select sets them
build() {
    "$top/scripts/setup.sh" "$@"
    target_select "$@"
    "$top/scripts/kernel.sh" "$arch"
    "$top/scripts/sysroot.sh" "$arch"
    if [ -n "$cross" ]; then
        "$top/scripts/build-tree" "$(basename "$programs")" \
            --toolchain "$top/cmake/${cross%-}.cmake"
    else
        "$top/scripts/build-tree" "$(basename "$programs")"
    fi
    "$top/scripts/quietly" "[build] building the guest driver for $arch" "$top/scripts/build-driver.sh" "$arch"
}

[ $# -gt 0 ] || build
for architecture in "$@"; do
    build "$architecture"
done
