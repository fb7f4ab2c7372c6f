#compdef maya
# Completion of maya for zsh. In ~/.zshrc, behind compinit:  source <(maya completion zsh)
_maya() {
    local line ask=''
    local -a found
    for line in "${(@f)$("${(Q)words[1]/#\~/$HOME}" complete -- "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
        case $line in
            '') ;;
            :*) ask=${line#:} ;;
            *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe -V maya found
    if [[ -n $ask ]]; then
        compset -P '--*='
        if [[ $ask == folders ]]; then _files -/; else _files; fi
    fi
}
if [[ $funcstack[1] == _maya ]]; then _maya "$@"; else compdef _maya maya; fi
