# SPDX-License-Identifier: BSD-2-Clause
# bash: completes command lines of crossvm and crossvm-vm, which say themselves what fits.
_crossvm() {
    local line word=$2
    COMPREPLY=()
    [ "$word" != = ] || word=
    while IFS= read -r line; do
        case $line in
        :files)
            compopt -o filenames
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
            ;;
        :directories)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            ;;
        *) COMPREPLY+=("${line%%$'\t'*}") ;;
        esac
    done < <("$1" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _crossvm crossvm crossvm-vm
