"""The data set that docs/add-a-data-set.md shows works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tiny_png import write_png

from hilum.core.errors import InputError
from hilum.core.imaging import View
from hilum.core.vocabulary import State
from hilum.datasets import ItemStatus

PAGE = Path(__file__).parents[2] / "docs" / "add-a-data-set.md"


def test_the_example_is_a_data_set(tmp_path: Path) -> None:
    code, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {"__name__": "ward"}
    exec(compile(code, str(PAGE), "exec", dont_inherit=True), module)
    data = module["build"](tmp_path)
    with pytest.raises(InputError, match=r"has no films\.csv"):
        data.studies()
    rows = "file,view,split,Effusion,Edema\na.png,PA,train,1,0\nb.png,LL,test,,2\ngone.png,AP,train,1,1\n"
    (tmp_path / "films.csv").write_text(rows)
    for name in ("a.png", "b.png"):
        write_png(tmp_path / "images" / name)
    first, second = data.studies()
    assert (first.images[0].view, first.labels["image"]["Pleural Effusion"]) == (View.PA, State.POSITIVE)
    assert (second.id, second.labels) == ("b", {})
    assert [study.id for study in data.studies("train")] == ["a"]
    found = data.check()
    assert found.counts["studies"] == 2
    assert [item.status for item in found.items] == [
        ItemStatus.FOUND, ItemStatus.PART, ItemStatus.PART, ItemStatus.WRONG,
    ]  # fmt: skip


def test_the_layout_and_the_row_go_with_the_example(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    modules: list[dict[str, Any]] = [{"__name__": "ward"}, {"__name__": "layout_ward"}]
    for code, module in zip(re.findall(r"```python\n(.*?)```", page, re.DOTALL), modules, strict=True):
        exec(compile(code, str(PAGE), "exec", dont_inherit=True), module)
    modules[1]["write"](tmp_path)
    data = modules[0]["build"](tmp_path)
    found = data.check()
    assert (found.ok, found.counts["studies"], found.left_out) == (True, 3, ())
    [row] = re.findall(r"^\| `ward` \|.*$", page, re.MULTILINE)
    assert f"| {data.card.access.value} |" in row
    assert all(f"`{source}`" in row for source in data.card.labels)
