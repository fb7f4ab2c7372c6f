# Completion of maya for bash. In ~/.bashrc:  source <(maya completion bash)
_maya() {
    local current=${COMP_WORDS[COMP_CWORD]} word line all ask i
    local -a typed=() found=()
    COMPREPLY=()
    # bash takes --name=value for three words: put them together again.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#typed[@]})) && [[ $word == = || ${COMP_WORDS[i - 1]} == = ]]; then
            typed[${#typed[@]} - 1]+=$word
        else
            typed+=("$word")
        fi
    done
    all=${typed[${#typed[@]} - 1]}
    [[ $current == = ]] && current=
    while IFS= read -r line; do
        case $line in
            :*) ask=${line#:} ;;
            *) line=${line%%$'\t'*} && found+=("${line#"${all%"$current"}"}") ;;
        esac
    done < <("${COMP_WORDS[0]/#\~/$HOME}" complete -- "${typed[@]}" 2>/dev/null)
    if [[ -n $ask ]]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do
            found+=("$line")
        done < <(if [[ $ask == folders ]]; then compgen -d -- "$current"; else compgen -f -- "$current"; fi)
    fi
    COMPREPLY=("${found[@]}")
}
complete -F _maya maya
