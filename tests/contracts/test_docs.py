"""What the documents promise is there: docstrings, the two commands of the README, the page of commands."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hilum

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "hilum.core", "hilum.api", "hilum.labelers", "hilum.stats", "hilum.metrics", "hilum.scorers", "hilum.analyses",
)  # fmt: skip


def modules() -> Iterator[str]:
    for room in ROOMS:
        yield room
        for found in pkgutil.iter_modules(importlib.import_module(room).__path__):
            yield f"{room}.{found.name}"


def public(module: object) -> Iterator[tuple[str, object]]:
    """Public functions and classes that the module defines, and the public methods of those classes."""
    for name, thing in vars(module).items():
        if name.startswith("_") or not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        if thing.__module__ != module.__name__:
            continue
        yield name, thing
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", function


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_public_function_and_class_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    told = {thing: getattr(found, "__doc__", None) for thing, found in public(module)}
    assert [thing for thing, text in told.items() if not text or text.startswith(f"{thing}(")] == []


def test_the_names_of_the_package_are_there_and_told() -> None:
    for name in hilum.__all__:
        thing = getattr(hilum, name)
        assert isinstance(thing, str) or thing.__doc__, name
    assert dir(hilum) == sorted(hilum.__all__)
    with pytest.raises(AttributeError, match="no attribute 'labels'"):
        hilum.labels  # noqa: B018


def sh_blocks() -> list[str]:
    return re.findall(
        r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def test_the_readme_begins_with_two_commands_that_can_be_pasted() -> None:
    label, check = sh_blocks()[:2]
    assert "hilum label examples/reports.csv" in label
    assert (ROOT / "examples" / "reports.csv").exists()
    assert "pytest" in check
    for block in (label, check):
        lines = block.strip().splitlines()
        assert all(line.endswith("&&") for line in lines[:-1]), "one failing step must stop the rest"
        done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_ci_runs_the_second_command_of_the_readme(tmp_path: Path) -> None:
    """The command that `.ci/run` takes from the README, shown by a `bash` that only prints it."""
    fake = tmp_path / "bash"
    fake.write_text('#!/bin/sh\nfor last; do :; done\nprintf "%s" "$last"\n', encoding="utf-8")
    fake.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shutil.which("bash") or "bash", ROOT / ".ci" / "run"],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == sh_blocks()[1].strip()


def test_the_page_of_commands_is_what_the_program_says() -> None:
    done = subprocess.run(
        [sys.executable, "docs/build_cli.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
