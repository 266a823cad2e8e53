#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# cbmc.sh: makes CBMC, a bounded model checker for C, runnable as build/cbmc/cbmc: the system's own where setup.sh could
# install it (Debian 13), else Debian 13's, unpacked with its libraries. Does nothing when it is there.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=suites.sh
. "$top/scripts/suites.sh"
cbmc=$top/build/cbmc

fail() {
    echo "[cbmc] $*" >&2
    exit 1
}

link_installed() {
    command=$(command -v cbmc) || return 1
    mkdir products
    ln -s "$command" products/cbmc
}

unpack() {
    echo "[cbmc] downloading CBMC and its libraries from Debian 13 (about 30 MB)"
    # Not gcc, which it calls as a preprocessor: this machine's will do.
    suites_download "$(dpkg --print-architecture)" "trixie" cbmc minisat libc6 libgcc-s1 libstdc++6 zlib1g || {
        cat log >&2
        fail "CBMC could not be downloaded: is the network there?"
    }
    mkdir -p products/bin products/lib
    mv root/usr/bin/cbmc products/bin/
    mv root/usr/lib/*-linux-gnu/* root/usr/lib/libminisat.so* products/lib/
    cat >products/cbmc <<'COMMAND'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec "$here"/lib/ld-linux-* --library-path "$here/lib" "$here/bin/cbmc" "$@"
COMMAND
    chmod +x products/cbmc
}

[ ! -e "$cbmc/version" ] || exit 0
mkdir -p "$top/build"
exec 9>"$top/build/.cbmc.lock"
flock 9
[ ! -e "$cbmc/version" ] || exit 0 # another run made it while this one waited

work=$(mktemp -d "$top/build/.cbmc.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
link_installed || unpack
products/cbmc --version >products/version || fail "it does not run here"

rm -rf "$cbmc" # what an interrupted run left
mv products "$cbmc"
echo "[cbmc] ready: CBMC $(cat "$cbmc/version")"
