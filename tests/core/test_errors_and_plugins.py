from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from hilum.core import errors
from hilum.core.errors import HilumError, MissingExtraError, UnknownNameError
from hilum.core.plugins import Folder

PLUGIN = Path(__file__).parents[1] / "runner" / "plugin"


def test_every_error_has_one_root() -> None:
    kinds = [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, Exception)]
    assert len(kinds) == 11
    assert all(issubclass(kind, HilumError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def test_an_unknown_name_is_told_with_the_nearest_and_all_known() -> None:
    assert str(UnknownNameError("colour", "gren", ["red", "green"])) == (
        "There is no colour 'gren'. Did you mean 'green'? Known: green, red."
    )
    assert str(UnknownNameError("colour", "xyz", [])) == "There is no colour 'xyz'. Known: none."


def test_a_missing_extra_says_what_to_run() -> None:
    assert "pip install 'hilum[pandas]'" in str(MissingExtraError("pandas", "pandas"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder[object]:
    package = tmp_path / "shelf_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "oak.py").write_text("build = 'an oak'\n")
    (package / "elm.py").write_text("raise RuntimeError('imported')\n")
    (package / "_wood.py").write_text("build = 'no plug-in'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return Folder("tree", "shelf_of_tests", "build")


def test_plugins_are_the_modules_without_underscore_found_without_import(folder: Folder[object]) -> None:
    assert folder.names() == ["elm", "oak"]
    assert folder.get("oak") == "an oak"
    with pytest.raises(RuntimeError, match="imported"):
        folder.get("elm")


@pytest.mark.parametrize("name", ["_wood", "ook", ""])
def test_a_plugin_that_is_not_there_is_told(folder: Folder[object], name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"no tree '{name}'.*Known: elm, oak"):
        folder.get(name)


def test_a_third_party_adds_a_plugin_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    labelers: Folder[object] = Folder("labeler", "hilum.labelers", "build")
    own = labelers.names()
    monkeypatch.syspath_prepend(str(PLUGIN))
    assert labelers.names() == sorted([*own, "fake"])
    built = labelers.get("fake")(vocabulary="chexpert14", convention="house")  # type: ignore[operator]
    assert built.name == "fake"
    monkeypatch.undo()
    assert labelers.names() == own
