#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# judge.sh LOG CASE           succeeds if the log of a scenario says that the case passed
# judge.sh LOG --all CASE...  succeeds if these cases gave one verdict each, good or bad, and no others gave one
set -eu

log=$1
shift

# The names of the cases that gave a verdict
judged() {
    sed -n 's/^case \([^:]*\): .*$/\1/p' "$log"
}

if [ "$1" != --all ]; then
    grep -a -F "case $1:" "$log" || {
        echo "case $1: no verdict; the end of $log:"
        tail -n 5 "$log"
        exit 1
    }
    grep -a -q -x -F "case $1: ok" "$log"
    exit
fi

shift
status=0
for name in $(judged | sort | uniq -d); do
    echo "case $name gave more than one verdict in $log: run it once"
    status=1
done
for name in $(judged | sort -u); do
    case " $* " in
    *" $name "*) ;;
    *)
        echo "case $name ran, but has no ctest entry: list it in tests/guest/CMakeLists.txt"
        status=1
        ;;
    esac
done
for name in "$@"; do
    if ! judged | grep -q -x -F "$name"; then
        echo "case $name has a ctest entry, but gave no verdict in $log: run it, or take it off the list in" \
            "tests/guest/CMakeLists.txt"
        status=1
    fi
done
exit $status
