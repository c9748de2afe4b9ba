/** The completion scripts of the shells. They ask this program for candidates: one per line, with its description after a tab. */
export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

const BASH = `# credicorp: completion for bash. In ~/.bashrc:  eval "$(credicorp autocomplete bash)"
_credicorp() {
  local IFS=$'\\n'
  COMPREPLY=($(credicorp __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _credicorp credicorp
`;

// Works both as a line in ~/.zshrc and as a file _credicorp in a folder of $fpath, which is run on the first Tab.
const ZSH = `#compdef credicorp
# credicorp: completion for zsh. In ~/.zshrc, after compinit:  eval "$(credicorp autocomplete zsh)"
_credicorp() {
  local line value
  local -a found
  for line in "\${(@f)$(credicorp __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] || continue
    value=\${\${line%%$'\\t'*}//:/\\\\:}
    if [[ $line == *$'\\t'* ]]; then found+=("$value:\${line#*$'\\t'}"); else found+=("$value"); fi
  done
  if (( \${#found} )); then _describe credicorp found; else _files; fi
}
if [[ \${funcstack[1]} == _credicorp ]]; then _credicorp "$@"; else compdef _credicorp credicorp; fi
`;

const FISH = `# credicorp: completion for fish:  credicorp autocomplete fish > ~/.config/fish/completions/credicorp.fish
function __credicorp_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found (credicorp __complete fish $words[2..-1] 2>/dev/null)
  if set -q found[1]
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c credicorp -f -a '(__credicorp_complete)'
`;

// An empty word gets lost on the way to a program there; a sign before the last one keeps it.
const POWERSHELL = `# credicorp: completion for PowerShell. In $PROFILE:  credicorp autocomplete powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName credicorp -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($wordToComplete -ne '') { $words = @($words | Select-Object -SkipLast 1) }
  credicorp __complete powershell @words "=$wordToComplete" 2>$null | ForEach-Object {
    $value, $about = $_ -split "\`t", 2
    if (-not $about) { $about = $value }
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
  }
}
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL };
