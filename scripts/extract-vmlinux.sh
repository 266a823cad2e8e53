#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# extract-vmlinux.sh BZIMAGE OUT: writes the ELF kernel that an x86 bzImage carries compressed.
#
# An ELF kernel starts at its 64-bit or PVH entry at once, where a bzImage first unpacks itself: on an emulated CPU that
# alone costs seconds.
set -eu

fail() {
    echo "extract-vmlinux: $*" >&2
    exit 1
}

[ $# -eq 2 ] || fail "usage: extract-vmlinux.sh BZIMAGE OUT"
image=$1
out=$2
[ -r "$image" ] || fail "$image: no such file, or not readable"

# read_number OFFSET BYTES: an unsigned little-endian number of the file (od reads in the host's order, which is the same)
read_number() {
    od -A n -j "$1" -N "$2" -t "u$2" "$image" | tr -d ' '
}

# read_hex OFFSET BYTES
read_hex() {
    od -A n -j "$1" -N "$2" -t x1 "$image" | tr -d ' \n'
}

# Fields of the x86 boot protocol: "HdrS", the protocol's version, and since 2.08 where the payload is.
[ "$(read_hex $((0x202)) 4)" = 48647253 ] || fail "$image: not a bzImage (no boot protocol header)"
[ "$(read_number $((0x206)) 2)" -ge $((0x208)) ] || fail "$image: its boot protocol is older than 2.08 and names no payload"
setup_sectors=$(read_number $((0x1f1)) 1)
[ "$setup_sectors" -ne 0 ] || setup_sectors=4
start=$(((setup_sectors + 1) * 512 + $(read_number $((0x248)) 4)))
length=$(read_number $((0x24c)) 4)

# The kernel's uncompressed size follows in four bytes, except after gzip, which has it inside.
size_field=4
case "$(read_hex "$start" 6)" in
fd377a585a00) unpack="xz -dc" ;;
02214c18*) unpack="lz4 -dc" ;;
28b52ffd*) unpack="zstd -dc" ;;
1f8b*)
    unpack="gzip -dc"
    size_field=0
    ;;
*) fail "$image: its payload is compressed in an unknown way (it starts with $(read_hex "$start" 6))" ;;
esac
command -v "${unpack%% *}" >/dev/null || fail "$image needs the program '${unpack%% *}' to be unpacked"

trap 'rm -f "$out.part"' EXIT
# shellcheck disable=SC2086 # program and options
tail -c "+$((start + 1))" "$image" | head -c $((length - size_field)) | $unpack >"$out.part" ||
    fail "$image: its payload is damaged"
[ "$(od -A n -N 4 -t x1 "$out.part" | tr -d ' \n')" = 7f454c46 ] || fail "$image: its payload is no ELF file"
mv "$out.part" "$out"
