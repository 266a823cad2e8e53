#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# case.sh LOG CASE: succeeds if the log of a scenario says that the case passed.
grep -a -F "case $2:" "$1" || {
    echo "case $2: did not run; the end of $1:"
    tail -n 5 "$1"
    exit 1
}
grep -a -q -x -F "case $2: ok" "$1"
