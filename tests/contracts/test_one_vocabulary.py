"""Findings and number codes stand in core/vocabulary.py and in lexicon data, and nowhere else in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.core.vocabulary import SHIPPED

SOURCE = Path(__file__).resolve().parents[2] / "src" / "hilum"
ALLOWED = SOURCE / "core" / "vocabulary.py"
FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path != ALLOWED]
NAMES = {f.name for v in SHIPPED.values() for f in v.findings} - {"No Finding"}


def strings(tree: ast.AST) -> Iterator[str]:
    """String literals that are no docstring."""
    docs = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs:
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_finding_is_named_in_code(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert {text for text in strings(tree) if text in NAMES or text == "No Finding"} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_table_of_codes_stands_in_code(path: Path) -> None:
    """A dictionary from states to numbers is a second place for the codes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    coded = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and len(node.keys) >= 3 and not path.match("labelers/rules.py"):
            states = [
                k for k in node.keys if isinstance(k, ast.Attribute) and getattr(k.value, "id", "") == "State"
            ]
            numbers = [
                v
                for v in node.values
                if isinstance(v, ast.Constant | ast.UnaryOp)
                and not isinstance(getattr(v, "value", None), str)
            ]
            coded += [node.lineno] if states and numbers else []
    assert coded == []
