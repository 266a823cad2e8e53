#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# test_wheel.sh TOP VERSION: makes a wheel that holds the library, twice with the same bytes; installs it in a clean virtual
# environment without a network; and runs what was installed, in which its own library comes before the system's.
# CROSSVM_LIBRARY names the library, CROSSVM_TOOL the tool.
set -eu

top=$1
version=$2
library=$CROSSVM_LIBRARY
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' INT TERM HUP
unset PYTHONPATH CROSSVM_LIBRARY
export HOME="$folder" # no settings and no cache of pip

fail() {
    echo "test_wheel.sh: $*" >&2
    exit 1
}

# refuse TEXT LIBRARY: no wheel is made of it, and that is why.
refuse() {
    if "$top/scripts/wheel-pack" "$2" "$folder/refused" 2>"$folder/errors"; then
        fail "there is a wheel of $2"
    fi
    grep -q "$1" "$folder/errors" || fail "of $2 it says: $(cat "$folder/errors")"
}

cc -shared -o "$folder/needs.so" -x c /dev/null -Wl,--no-as-needed -lcmocka
refuse "needs libcmocka.so.0, which not each system has" "$folder/needs.so"
cc -shared -o "$folder/names.so" -x c /dev/null -Wl,-rpath,/nowhere
refuse "names a folder of this machine" "$folder/names.so"

wheel=$(umask 022 && TZ=UTC "$top/scripts/wheel-pack" "$library" "$folder/first")
again=$(umask 077 && TZ=Asia/Tokyo "$top/scripts/wheel-pack" "$library" "$folder/second")
cmp "$wheel" "$again"

/usr/bin/python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --no-index --disable-pip-version-check "$wheel"
installed=$(echo "$folder"/venv/lib/python3*/site-packages)
find "$installed"/crossvm-*.dist-info -name LICENSE | grep -q . || fail "the wheel has no license"

# uses LIBRARY [NAME=VALUE...]: which one the module uses
uses() {
    expected=$1
    shift
    env CROSSVM_DIR="$folder" "$@" "$folder/venv/bin/python" -m crossvm >"$folder/says"
    [ "$(head -n 2 "$folder/says")" = "crossvm $version
library $expected" ] || fail "not $expected is used, but: $(cat "$folder/says")"
}

# A system's library, where the loader finds it
soname=$(objdump -p "$library" | sed -n 's/^ *SONAME *//p')
mkdir "$folder/system"
cp "$library" "$folder/system/$soname"
uses "$installed/crossvm/$soname" LD_LIBRARY_PATH="$folder/system"
uses "$folder/system/$soname" CROSSVM_LIBRARY="$folder/system/$soname"
uses "$folder/system/$soname" CROSSVM_LIBRARY="$soname" LD_LIBRARY_PATH="$folder/system"

example=$top/examples/python/request_response.py
PATH="$folder/venv/bin:$PATH" "$top/tests/examples/run.sh" "$CROSSVM_TOOL" "$example" "$example" \
    "$top/tests/examples/expected/request_response"
