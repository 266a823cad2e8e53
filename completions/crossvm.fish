# SPDX-License-Identifier: BSD-2-Clause
# fish: completes command lines of crossvm and crossvm-vm, which say themselves what fits.
function __crossvm_candidates
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in ($words[1] --complete $words[2..-1] "$word" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $word
            case :directories
                __fish_complete_directories $word
            case '*'
                echo $line
        end
    end
end
complete --command crossvm --no-files --arguments '(__crossvm_candidates)'
complete --command crossvm-vm --no-files --arguments '(__crossvm_candidates)'
