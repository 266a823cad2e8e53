#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# test_install.sh SOURCE VERSION: installs the module as its README.md says, with Debian's Python and without a network,
# and runs what was installed. CROSSVM_LIBRARY names the library.
set -eu

source=$1
version=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' INT TERM HUP
unset PYTHONPATH
export HOME="$folder" # no settings and no cache of pip

cp -r "$source" "$folder/python" # pip builds in the source folder
/usr/bin/python3 -m venv --system-site-packages "$folder/venv"
"$folder/venv/bin/pip" install --no-build-isolation --no-index --disable-pip-version-check "$folder/python"

cd "$folder"
venv/bin/python -c "
import crossvm, importlib.metadata, importlib.resources, sys
assert crossvm.__file__.startswith(sys.prefix), crossvm.__file__
assert crossvm.__version__ == importlib.metadata.version('crossvm') == '$version', crossvm.__version__
assert importlib.resources.files('crossvm').joinpath('py.typed').is_file()
"
CROSSVM_DIR="$folder" venv/bin/python -m crossvm | grep -qx "crossvm $version"
