#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# api.sh TOOL LIBRARY COMPILER: docs/api.md names each public function once, and its programs compile and print what it says,
# each at both ends of a `crossvm pair`.
set -eu

tool=$1
library=$2
compiler=$3
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What the headers declare or define, without comments
for header in version deadline crossvm end_channel channel; do
    perl -0777 -pe 's{/\*.*?\*/}{}gs' "$top/include/crossvm/$header.h"
done | grep -o '\bcrossvm_[a-z_]*(' | tr -d '(' | sort -u >"$work/declared"
# shellcheck disable=SC2016 # backquotes of Markdown
sed -n 's/^| `\(crossvm_[a-z_]*\)()` |.*/\1/p' "$top/docs/api.md" | sort >"$work/documented"
diff -u --label "in headers" --label "in docs/api.md" "$work/declared" "$work/documented"

# Each program is in a block of its own, begins with its name, and is followed by what it prints.
awk -v work="$work" '
    /^```c$/ { getline; name = $2; sub(/:$/, "", name); file = work "/" name; print >file; next }
    /^```text$/ { file = work "/" name ".expected"; next }
    /^```/ { if (file) close(file); file = ""; next }
    file { print >file }
' "$top/docs/api.md"
count=0
for program in "$work"/*.c; do
    "$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror -O1 -I "$top/include" -o "$work/program" "$program" "$library" \
        -pthread
    "$top/tests/examples/run.sh" "$tool" "$work/program" "$work/program" "$program.expected"
    count=$((count + 1))
done
# shellcheck disable=SC2016
[ "$count" -eq "$(grep -c '^```c$' "$top/docs/api.md")" ]
echo "$count programs print what docs/api.md says"
