"""What the shells run to complete `guild`: they hand over the line up to the cursor and get one candidate a
line (`_complete.py`)."""

BASH = r"""# Completion of guild for bash.
_guild_completion() {
    local kind value
    COMPREPLY=()
    while IFS=$'\t' read -r kind value; do
        [[ $kind == plain ]] && value+=' '
        COMPREPLY+=("$value")
    done < <(_GUILD_COMPLETE=bash _GUILD_LINE="${COMP_LINE:0:$COMP_POINT}" _GUILD_BREAKS="$COMP_WORDBREAKS" \
        _GUILD_COMP_TYPE="$COMP_TYPE" "$1" 2>/dev/null </dev/null)
}
complete -o nosort -o nospace -F _guild_completion guild 2>/dev/null ||
    complete -o nospace -F _guild_completion guild
"""

ZSH = r"""#compdef guild
# Completion of guild for zsh.
_guild_completion() {
    local kind value help shown
    local -a whole whole_shown part part_shown one
    while IFS=$'\t' read -r kind value help; do
        shown="$value"
        [[ -n "$help" ]] && shown="$value  -- $help" && one=(-l)
        if [[ "$kind" == part ]]; then
            part+=("$value")
            part_shown+=("$shown")
        else
            whole+=("$value")
            whole_shown+=("$shown")
        fi
    done < <(_GUILD_COMPLETE=zsh _GUILD_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" \
        "${words[1]}" 2>/dev/null </dev/null)
    (( $#whole + $#part )) || return 1
    (( $#whole )) && compadd $one -V guild -d whole_shown -a whole
    (( $#part )) && compadd $one -V guild-part -S '' -d part_shown -a part
    return 0
}
if (( ! $+functions[compdef] )); then
    autoload -Uz compinit && compinit
fi
compdef _guild_completion guild
"""

FISH = r"""# Completion of guild for fish.
function _guild_completion
    set -l program (commandline -opc)[1]
    _GUILD_COMPLETE=fish _GUILD_LINE=(commandline -cp | string collect) $program 2>/dev/null </dev/null
end
complete --no-files --keep-order --command guild --arguments '(_guild_completion)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
