#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh: all benchmarks. First a channel between two processes and its rivals: times, which need an idle machine, and
# instructions. Then a channel between a guest and its host.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)

# Not build/host: if that was configured before setup.sh --bench installed the rivals, it does not know them.
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
