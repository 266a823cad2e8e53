#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# usage.sh PROGRAM: a wrong command line gives a usage line, and a connection that is missing one sentence that names it.
set -eu

program=$1
CROSSVM_DIR=$(mktemp -d)
export CROSSVM_DIR
trap 'rm -rf "$CROSSVM_DIR"' EXIT
trap 'exit 143' INT TERM HUP

# expect STATUS FIRST_LINE ARGUMENT...: what the program answers
expect() {
    expected=$1
    pattern=$2
    shift 2
    status=0
    "$program" "$@" >"$CROSSVM_DIR/output" 2>"$CROSSVM_DIR/errors" || status=$?
    # shellcheck disable=SC2254 # a pattern is what is meant
    case $(head -n 1 "$CROSSVM_DIR/errors") in
    $pattern) [ "$status" -eq "$expected" ] && [ ! -s "$CROSSVM_DIR/output" ] && return ;;
    esac
    echo "$program $*: status $status instead of $expected, or not '$pattern' on stderr but:" >&2
    cat "$CROSSVM_DIR/output" "$CROSSVM_DIR/errors" >&2
    exit 1
}

expect 2 'usage: *NAME*'
expect 2 'usage: *NAME*' one two
expect 1 '*: *nowhere*' nowhere
[ "$(wc -l <"$CROSSVM_DIR/errors")" -eq 1 ]
