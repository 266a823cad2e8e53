# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Functions that take packages from other suites of Debian than this system's, without installing them. They work in the
# current folder, and leave there: cache/archives (the packages), root (what is in them) and log.
#
#   suites_resolve ARCH SUITES PACKAGE...   PACKAGEs, preferably of the last suite, and all that they need
#   suites_download ARCH SUITES PACKAGE...  just these packages

# suites_apt ARCH PROGRAM ARG...: apt with lists, a cache and a (lack of) installed packages of our own. Neither the system's
# sources nor what is installed counts, so that it names all that the packages need.
suites_apt() {
    suites_arch=$1
    suites_program=$2
    shift 2
    "$suites_program" -q -y -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none \
        -o APT::Architecture="$suites_arch" -o APT::Architectures="$suites_arch" \
        -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$PWD/apt" -o Dir::State::status="$PWD/status" -o Dir::Cache="$PWD/cache" "$@"
}

suites_update() { # ARCH SUITES
    mkdir -p apt/lists/partial cache/archives/partial root
    : >status
    for suite in $2; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main"
    done >sources.list
    suites_apt "$1" apt-get update >log 2>&1
}

suites_unpack() {
    for package in cache/archives/*.deb; do
        dpkg -x "$package" root
    done
}

suites_resolve() {
    suites_update "$1" "$2" || return 1
    suites_of=$1
    suites_last=${2##* }
    shift 2
    suites_apt "$suites_of" apt-get install --download-only -t "$suites_last" "$@" >>log 2>&1 || return 1
    suites_unpack
}

suites_download() {
    suites_update "$1" "$2" || return 1
    suites_of=$1
    shift 2
    suites_apt "$suites_of" apt-get download "$@" >>log 2>&1 || return 1
    mv ./*.deb cache/archives/
    suites_unpack
}
