# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What scripts in a clean system share. Whoever sources this sets $packages, the folder of the packages.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# expect TEXT COMMAND...: the command succeeds and prints the text
expect() {
    local text=$1 output
    shift
    output=$("$@" 2>&1) || fail "$* failed: $output"
    [[ $output == *"$text"* ]] || fail "$* does not print '$text' but: $output"
}

# refuse TEXT COMMAND...: the command fails and says why
refuse() {
    local text=$1 output
    shift
    if output=$("$@" 2>&1); then
        fail "$* succeeded: $output"
    fi
    [[ $output == *"$text"* ]] || fail "$* does not say '$text' but: $output"
}

as() { # USER COMMAND...
    local user=$1
    shift
    setpriv --reuid="$user" --regid="$user" --init-groups "$@"
}

all_files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /packages -o -path /var/cache \) \
        -prune -o -print | sort
}

# What the driver's package needs, a kernel's headers, is another script's matter.
install_packages() {
    apt-get -q -y install --no-install-recommends \
        "${packages:?}"/{crossvm,crossvm-bridge,crossvm-vm,libcrossvm1,libcrossvm-dev,python3-crossvm}_*.deb
    [ "$(stat -c '%a %U %G' /run/crossvm)" = "2775 root crossvm" ] || fail "/run/crossvm: $(stat /run/crossvm)"
}

# remove_packages BEFORE: nothing may be left that was not in that list of files
remove_packages() {
    local names left
    mapfile -t names < <(dpkg-query -W -f '${Package}\n' '*crossvm*')
    apt-get -q -y remove "${names[@]}"
    ! command -v crossvm crossvm-bridge crossvm-vm || fail "programs are still there"
    dpkg --purge "${names[@]}"
    [ ! -e /run/crossvm ] || fail "/run/crossvm is still there"
    dpkg-query -W -f '${Status}\n' '*crossvm*' 2>/dev/null | grep -v not-installed && fail "dpkg still knows packages"
    left=$(all_files | comm -13 "$1" - | grep crossvm || :)
    [ -z "$left" ] || fail "files are left: $left"
}
