"""Writes docs/cli.md from the program itself.

    python docs/build_cli.py            writes the page
    python docs/build_cli.py --check    exits 1, naming the next step, when the page is stale

The texts are those of `--help`. They are laid out here, at a fixed width and without colour, so that the page
is the same whatever the terminal and the versions of typer and rich.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

import typer

from hilum.cli.main import app

PAGE = Path(__file__).parent / "cli.md"
WIDTH, NAMES = 100, 30
HEAD = """# Commands

Written by `python docs/build_cli.py` from the program; do not edit. Every command takes `-h` and `--help`.

Exit codes: 0 done; 1 nobody reads the output any more; 2 an error that was told on standard error (bad input,
bad option, cannot write, a label that `selftest` found changed); 130 stopped with Ctrl-C.
"""


def page() -> str:
    """The whole page as Markdown."""
    program = typer.main.get_command(app)
    commands: dict[str, Any] = program.commands  # type: ignore[attr-defined]
    blocks = [_block("hilum", program, "COMMAND [ARGS]...", extra=_summaries(commands))]
    for name, command in commands.items():
        group: dict[str, Any] = getattr(command, "commands", {})
        extra = _summaries(group) if group else None
        blocks.append(_block(f"hilum {name}", command, "COMMAND [ARGS]..." if group else "", extra=extra))
        blocks += [_block(f"hilum {name} {own}", sub) for own, sub in group.items()]
    return "\n".join([HEAD, *blocks])


def _summaries(commands: dict[str, Any]) -> list[str]:
    lines = ["", "Commands:"]
    for name, command in commands.items():
        lines += _entry(name, inspect.cleandoc(command.help).split("\n\n")[0])
    return lines


def _block(title: str, command: Any, usage: str = "", *, extra: list[str] | None = None) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    given = " ".join([*(p.metavar for p in arguments), usage]).strip()
    lines = [f"Usage: {title} [OPTIONS] {given}".rstrip()]
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        lines += ["", *textwrap.wrap(" ".join(paragraph.split()), WIDTH)]
    if arguments:
        lines += ["", "Arguments:"]
        lines += [line for p in arguments for line in _entry(p.metavar, p.help)]
    if options:
        lines += ["", "Options:"]
        lines += [line for p in options for line in _entry(_names(p), _help(p))]
    return "\n".join([f"## `{title}`", "", "```text", *lines, *(extra or []), "```", ""])


def _names(option: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {option.metavar}"


def _help(option: Any) -> str:
    shown = not option.is_flag and option.default is not None
    return f"{option.help} [default: {option.default}]" if shown else str(option.help)


def _entry(names: str, text: str) -> list[str]:
    words = textwrap.wrap(" ".join(text.split()), WIDTH - NAMES - 4)
    if len(names) > NAMES:
        return [f"  {names}", *(" " * (NAMES + 4) + line for line in words)]
    return [f"  {names:<{NAMES}}  {words[0]}", *(" " * (NAMES + 4) + line for line in words[1:])]


def main() -> int:
    """Write the page, or with --check compare it; the exit code."""
    wanted = page()
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
            sys.stderr.write("docs/cli.md is stale. Next step: python docs/build_cli.py\n")
            return 1
        return 0
    PAGE.write_text(wanted, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
