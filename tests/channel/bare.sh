#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# bare.sh COMPILER TOP: a channel compiles and links without a C library and without an operating system, with and
# without optimisation, and where it must access aligned addresses only. Of 32-bit Arm, processors with virtualization,
# which divide by themselves.
set -eu

compiler=$1
top=$2
case $(basename "$compiler") in
arm-*) processor=-march=armv7ve+simd aligned=-mno-unaligned-access ;;
aarch64-*) processor="" aligned="-mstrict-align -DCROSSVM_CHANNEL_STRICT_ALIGN" ;;
*) processor="" aligned=-DCROSSVM_CHANNEL_STRICT_ALIGN ;;
esac
out=$(mktemp)
trap 'rm -f "$out"' EXIT

for optimisation in -O0 -O2 -Os "-O2 $aligned"; do
    # shellcheck disable=SC2086 # options
    "$compiler" -std=gnu11 $processor $optimisation -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
        -Wvla -ffreestanding -nostdlib -static -fno-stack-protector -I "$top/include" -o "$out" \
        "$top"/src/channel/*.c "$top/tests/channel/bare.c"
    echo "$compiler $optimisation: links"
done
