# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Functions that download packages of Debian's archive, without installing them. A script that sources this file sets $top,
# the project's folder.
#
#   archive_open ARCH            must be called first; ARCH is the architecture of packages that do not name one. A second
#                                process waits here until the first has ended
#   archive_show PACKAGE         prints what apt knows of it; fails if there is no such package
#   archive_download PACKAGE...  into the current folder; on failure download.log says why
#   archive_update               fetches new package lists
#
# The system's apt knows packages of this machine's architecture only. For another one, apt uses lists in
# build/archive: that changes nothing on the system, and needs no root.

archive=${top:?}/build/archive

archive_open() {
    archive_arch=$1
    archive_host=$(dpkg --print-architecture)
    mkdir -p "$archive/lists/partial" "$archive/cache/archives/partial"
    exec 9>"$archive/lock"
    flock 9
}

archive_is_foreign() {
    [ "$archive_arch" != "$archive_host" ]
}

# archive_apt PROGRAM ARG...: apt-get or apt-cache with the lists that know the architecture
archive_apt() {
    program=$1
    shift
    if archive_is_foreign; then
        set -- -o APT::Architectures="$archive_host,$archive_arch" \
            -o Dir::State::lists="$archive/lists" -o Dir::Cache="$archive/cache" "$@"
    fi
    # As root, apt downloads as the user _apt, which may have no access to our folders.
    "$program" -q -o APT::Sandbox::User=root "$@"
}

archive_show() {
    archive_apt apt-cache --no-all-versions show "$1:$archive_arch" 2>/dev/null
}

archive_download() {
    for package in "$@"; do
        shift
        case $package in
        *:*) ;;
        *) package=$package:$archive_arch ;;
        esac
        set -- "$@" "$package"
    done
    archive_apt apt-get download "$@" >download.log 2>&1
}

archive_update() {
    if ! archive_is_foreign; then
        "$top/scripts/setup.sh" --update-lists
        return
    fi
    echo "[setup] fetching the package lists of $archive_arch"
    if ! archive_apt apt-get update >"$archive/update.log" 2>&1; then
        cat "$archive/update.log" >&2
        echo "[setup] the package lists of $archive_arch could not be fetched: is the network there?" >&2
        return 1
    fi
}
