"""`completion`: prints a script with which a shell completes commands, options and their values."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from hlsgen.boards import board_names
from hlsgen.cli.console import Console
from hlsgen.zoo.networks import NETWORKS

NAME = "completion"
HELP = "print a script that makes a shell complete hlsgen's commands and options"
EXAMPLE = 'hlsgen completion bash   (then: eval "$(hlsgen completion bash)" in ~/.bashrc)'
SHELLS = ("bash", "zsh")
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
SCRIPT = """\
_hlsgen() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[COMP_CWORD-1]}}" in
{values}
        *) case "${{COMP_WORDS[1]}} $word" in
{options}
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    local IFS=$'\\n'
    [ -n "$words" ] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _hlsgen hlsgen
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("shell", choices=SHELLS, help="bash or zsh")


def execute(options: argparse.Namespace, console: Console) -> int:
    """Print the script."""
    from hlsgen.cli.main import parser  # which has this command too

    text = script(parser(), options.shell)
    if not console.silent:
        print(text, end="")
    console.result({"ok": True, "script": text})
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a shell."""
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    values, options = [], []
    for name, command in commands.choices.items():
        known = command._option_string_actions
        options.append(case(f"{name} -*", known))
        for flag, action in known.items():
            if words := values_of(flag, action):
                values.append(case(f"{name} {flag}", words))
    arguments: dict[str, Iterable[str]] = {"zoo": NETWORKS, "boards": board_names(), NAME: SHELLS}
    values += [case(f"{name} {name}", words) for name, words in arguments.items()]
    text = SCRIPT.format(
        commands=" ".join(commands.choices), values="\n".join(values), options="\n".join(options)
    )
    return ZSH + text if shell == "zsh" else text


def values_of(flag: str, action: argparse.Action) -> Iterable[str]:
    """What an option may be set to, where that is a list."""
    return list(board_names()) if flag == "--board" else [str(c) for c in action.choices or ()]


def case(pattern: str, words: Iterable[str]) -> str:
    """A branch of the script: the words that may come after, or in place of, a pattern."""
    quoted = pattern.replace(" ", "\\ ")
    return f'        {quoted}) words="{" ".join(words)}" ;;'
