#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# strict.sh COMPILER TOP: a channel on a 64-bit Arm machine where an address that is not aligned traps, compiled as
# seL4's build compiles. Counts what 64 KiB of a stream and a datagram of 64 bytes cost there, to send and to receive.
set -eu

compiler=$1
top=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$compiler" -std=gnu11 -O2 -mstrict-align -DCROSSVM_CHANNEL_STRICT_ALIGN -Wall -Wextra -Werror -ffreestanding \
    -nostdlib -static -fno-stack-protector -Wl,-Ttext=0x40080000 -I "$top/include" -o "$out/program" \
    "$top"/src/channel/*.c "$top/tests/channel/strict.c"
timeout 1000 qemu-system-aarch64 -machine virt -cpu cortex-a53 -m 64 -nodefaults -no-user-config -display none \
    -serial stdio -icount shift=0,sleep=off -kernel "$out/program" </dev/null >"$out/lines"
cat "$out/lines"

# The most instructions for each place of the caller's buffer, an address modulo 16
awk '
    BEGIN {
        most["stream", 0] = 7000; most["stream", 8] = 13500; most["stream", 4] = most["stream", 1] = 24000
        most["datagram", 0] = most["datagram", 8] = 55; most["datagram", 4] = most["datagram", 1] = 330
    }
    $2 == "at" {
        seen++
        place = $3 + 0
        if ($4 > most[$1, place] || $5 > most[$1, place]) {
            print "strict.sh: " $1 " at " place " is to cost at most " most[$1, place] " instructions each way"
            failed = 1
        }
    }
    END { exit failed || seen != 8 || $0 != "all is right" }
' "$out/lines"
