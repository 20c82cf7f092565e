# Completion of xm for bash: copy to /usr/share/bash-completion/completions/xm
_xm() {
    local IFS=$'\n' word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=($(xm complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    if [ "${#COMPREPLY[@]}" -eq 0 ]; then
        COMPREPLY=($(compgen -f -- "$word"))
    fi
    case "${COMPREPLY[*]}" in
    *=) compopt -o nospace ;;
    esac
}
complete -F _xm xm
