#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh: all benchmarks. First a channel between two processes and its rivals: times, which need an idle machine, and
# instructions. Then a hub, and a channel between a guest and its host.
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
cmake --build "$top/build/bench" --target hub_bench >/dev/null
echo "[bench] a hub with few and with many connections (half a minute)"
"$top/build/bench/bench/hub/hub_bench"
echo
echo "[bench] the same, instructions of the hub for an event (two minutes)"
"$top/bench/hub/count-instructions" "$top/build/bench/bench/hub/hub_bench"
echo
echo "[bench] a guest and a program of its host, in each VMM, and over virtio-vsock (two minutes)"
"$top/bench/guest/run.sh"
