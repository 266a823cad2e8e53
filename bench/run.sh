#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh: all benchmarks. First a channel between two processes and its rivals: times, which need an idle machine, and
# instructions. Then a hub, and a channel between a guest and its host. The figures go to build/bench/bench.json, and plots
# of them to build/bench.
set -eu -o pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
bench=$top/build/bench

# Not build/host: if that was configured before setup.sh --bench installed the rivals, it does not know them.
"$top/scripts/build-tree" bench
"$top/scripts/quietly" "[bench] building the benchmark" cmake --build "$bench" --target channel_bench hub_bench bridge_bench

# On arm64, where instructions are counted with the kernel's, of what needs no library
measure_with_kernel() {
    bundle=$top/build/bench-channel
    mkdir -p "$bundle"
    "$top/scripts/quietly" "[bench] building it for arm64" cmake --build "$top/build/arm64" --target channel_bench
    cp "$top/build/arm64/bench/channel/channel_bench" "$bundle"
    "$top/scripts/with-kvm" --arch arm64 --icount --timeout 1800 "$bundle" ./channel_bench icount
}

measure() {
    echo "[bench] two processes, 7 repetitions (some minutes)"
    "$bench/bench/channel/channel_bench"
    echo "[bench] a hub with few and with many connections (half a minute)"
    "$bench/bench/hub/hub_bench"
    echo "[bench] what hubs hold, few and many (five seconds)"
    "$top/bench/hub/holds" "$bench"
    echo "[bench] instructions of a message and of a hub's event (three minutes)"
    "$top/bench/counts.py" "$bench"
    echo "[bench] a new socket over a connection, and over ssh (ten seconds)"
    "$top/bench/forward/set-up" "$bench/src/tool/crossvm"
    echo "[bench] datagrams by a server of NATS, and its client alone (a minute)"
    "$top/bench/bridge/compare" "$bench"
    echo "[bench] the same of a message on arm64, with the kernel's (a minute)"
    measure_with_kernel
    echo "[bench] a guest and a program of its host: in each VMM, and what one would use instead (ten minutes)"
    "$top/bench/guest/run.sh"
}

measure | "$top/bench/record.py" "$bench/bench.json"
"$top/bench/plot.py" "$bench/bench.json" "$bench"
