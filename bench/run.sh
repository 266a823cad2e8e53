#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh: all benchmarks. Channels between two processes, beside what one would use instead: times, for which the machine
# should have nothing else to do, and instructions. Then between a guest and its host.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)

# A tree of its own: it looks for what --bench of setup.sh installs, which a tree that was made before would not find.
"$top/scripts/build-tree" bench
"$top/scripts/quietly" "[bench] building the benchmark" cmake --build "$top/build/bench" --target channel_bench
bench=$top/build/bench/bench/channel/channel_bench

echo "[bench] two processes, medians of 7 repetitions (about a minute)"
"$bench"
echo
echo "[bench] both ends in one process, instructions of a message (about a minute)"
"$top/bench/channel/count-instructions" "$bench"
echo
echo "[bench] a guest and a program of its host (half a minute)"
"$top/bench/guest/run.sh"
