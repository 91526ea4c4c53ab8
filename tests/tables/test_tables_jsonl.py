"""JSON lines: union of keys, bad lines kept as unreadable rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables import ReportSource, open_reports


def _open(tmp_path: Path, content: str | bytes) -> ReportSource:
    path = tmp_path / "in.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_reports(path)


def test_columns_are_all_keys_in_order_of_first_sight(tmp_path: Path) -> None:
    source = _open(tmp_path, '{"id": 1, "text": "Clear"}\n{"site": "A", "text": "Edema"}\n')
    assert source.columns == ("id", "text", "site")
    assert [r.cells for r in source.rows()] == [(1, "Clear", None), (None, "Edema", "A")]
    assert source.row_count_hint() == 2


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "Ed',
        "[1, 2]",
        "plain words",
        '"Clear"',
        "7",
        '{"text": "a", "text": "b"}',
        "[" * 100_000,
        "1" * 9000,
    ],
)
def test_bad_line_is_an_unreadable_row_and_the_next_is_kept(tmp_path: Path, line: str) -> None:
    rows = list(
        _open(tmp_path, f'{{"id": 1, "text": "Clear"}}\n{line}\n{{"id": 3, "text": "Mass"}}\n').rows()
    )
    assert [r.text for r in rows] == ["Clear", None, "Mass"]
    assert rows[1].status is RowStatus.UNREADABLE
    assert rows[1].cells == (None, line)
    assert rows[1].problem.startswith("line 2: ")


def test_values_that_are_no_text(tmp_path: Path) -> None:
    content = "".join(f'{{"text": {v}}}\n' for v in ("null", "NaN", '""', "12", "true", '["a"]', '"NaN"'))
    rows = list(_open(tmp_path, content).rows())
    assert all(not r.text for r in rows)
    bad = RowStatus.UNREADABLE
    assert [r.status for r in rows] == [None, None, None, bad, bad, bad, None]
    assert rows[3].problem == "number instead of text: 12"


def test_nested_values_become_json_text(tmp_path: Path) -> None:
    rows = list(_open(tmp_path, '{"text": "Clear", "meta": {"age": [1, "ü"]}}\n').rows())
    assert rows[0].cells == ("Clear", '{"age": [1, "ü"]}')


def test_lone_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    rows = list(_open(tmp_path, '{"text": "a \\ud800 b \\ud83e\\udec1"}\n').rows())
    assert rows[0].text == "a \ufffd b 🫁"


def test_schema_merges_types(tmp_path: Path) -> None:
    lines = (
        '{"text": "a", "i": 1, "f": 1, "s": 1, "b": true, "n": null}\n'
        '{"text": "b", "i": 2, "f": 2.5, "s": "x", "b": false, "n": null, "big": 99999999999999999999}\n'
    )
    assert _open(tmp_path, lines).schema == {
        "text": "str", "i": "int64", "f": "float64", "s": "str", "b": "bool", "n": "str", "big": "str",
    }  # fmt: skip


def test_blank_lines_and_crlf(tmp_path: Path) -> None:
    source = _open(tmp_path, '{"text": "a"}\r\n\r\n{"text": "b"}')
    assert [r.text for r in source.rows()] == ["a", "b"]
    assert source.notes == ["1 blank lines left out"]


def test_utf16_and_bom(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        rows = list(_open(tmp_path, '{"text": "Größe"}\n{"text": "b"}\n'.encode(encoding)).rows())
        assert [r.text for r in rows] == ["Größe", "b"]


@pytest.mark.parametrize("content", ["", "\n", '[{"text": "a"},\n{"text": "b"}]', "id,report\n1,Clear\n"])
def test_no_object_at_all_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="Next step"):
        _open(tmp_path, "[1]\n" if content.startswith("[{") else content)


def test_too_many_keys(tmp_path: Path) -> None:
    content = "".join(f'{{"k{i}": "x"}}\n' for i in range(10_002))
    with pytest.raises(InputError, match="different keys"):
        _open(tmp_path, content)
