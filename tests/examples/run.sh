#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh TOOL PROGRAM0 PROGRAM1 EXPECTED: runs programs at the two ends of a `crossvm pair`, and compares what they print,
# that of end 0 first.
set -eu

tool=$1
program0=$2
program1=$3
expected=$4
CROSSVM_DIR=$(mktemp -d)
export CROSSVM_DIR
trap 'kill "$pair" 2>/dev/null || true; rm -rf "$CROSSVM_DIR"' EXIT
trap 'exit 143' INT TERM HUP

mkfifo "$CROSSVM_DIR/ready"
"$tool" pair example >"$CROSSVM_DIR/ready" &
pair=$!
read -r _ <"$CROSSVM_DIR/ready"

"$program1" example.1 >"$CROSSVM_DIR/1" &
answers=$!
"$program0" example.0 >"$CROSSVM_DIR/0"
wait "$answers"
cat "$CROSSVM_DIR/0" "$CROSSVM_DIR/1" | diff "$expected" -
