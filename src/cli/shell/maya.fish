# Completion of maya for fish. Once:  maya completion fish > ~/.config/fish/completions/maya.fish
function __maya_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $typed[1])
    set -l before (string match -r -- '^--[^=]*=' $current)
    set -l value (string replace -r -- '^--[^=]*=' '' "$current" | string unescape)
    for line in ($program complete -- $typed[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':folders'
                printf '%s\n' "$before"(__fish_complete_directories "$value")
            case ':files'
                printf '%s\n' "$before"(__fish_complete_path "$value")
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c maya -f -a '(__maya_complete)'
