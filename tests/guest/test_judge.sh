#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What judge.sh makes of logs.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# expect STATUS TEXT ARGUMENT...: of judge.sh with the log on standard input, which says TEXT
expect() {
    status=$1
    text=$2
    shift 2
    cat >"$log"
    is=0
    said=$("$folder/judge.sh" "$log" "$@") || is=$?
    case $said in
    *"$text"*) ;;
    *) is="$is, without '$text'" ;;
    esac
    if [ "$is" != "$status" ]; then
        echo "judge.sh $*: status $is, not $status, with the log:"
        cat "$log"
        echo "it says: $said"
        failed=1
    fi
}

expect 0 "ok" s/one <<LOG
case s/one: ok
LOG
expect 1 "FAILED" s/one <<LOG
case s/one: FAILED: ok
case s/two: ok
LOG
expect 1 "no verdict" s/one <<LOG
case s/one_more: ok
scenario s: 0 failed
LOG
expect 0 "" --all s/one s/two <<LOG
case s/two: FAILED: of its own
a line of the guest's
case s/one: ok
LOG
expect 1 "case s/two ran, but has no ctest entry" --all s/one <<LOG
case s/one: ok
case s/two: ok
LOG
expect 1 "case s/two has a ctest entry, but gave no verdict" --all s/one s/two <<LOG
case s/one: ok
case s/two
LOG
expect 1 "case s/one gave more than one verdict" --all s/one <<LOG
case s/one: ok
case s/one: FAILED: the second time
LOG
exit $failed
