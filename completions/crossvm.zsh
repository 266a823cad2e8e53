#compdef crossvm crossvm-vm
# SPDX-License-Identifier: BSD-2-Clause
# zsh: completes command lines of crossvm and crossvm-vm, which say themselves what fits.
local line word
local -a candidates
for line in "${(@f)$(${(Q)words[1]} --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    word=${line%%$'\t'*}
    case $line in
    :files)
        compset -P '--*='
        _files
        ;;
    :directories)
        compset -P '--*='
        _files -/
        ;;
    ?*$'\t'*) candidates+=("${word//:/\\:}:${line#*$'\t'}") ;;
    ?*) candidates+=("${word//:/\\:}") ;;
    esac
done
_describe 'crossvm' candidates
