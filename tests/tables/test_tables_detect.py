"""Which reader is chosen, which column is the text, and what the errors say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.tables import open_reports, unique_columns
from hilum.tables.columns import find_text_column, unique_headers
from hilum.tables.detect import open_stream


@pytest.mark.parametrize(
    "name",
    [
        "Report Impression",
        "REPORTS",
        "Report",
        "TEXT",
        "Impression",
        "findings ",
        "report_impression",
        "\ufefftext",
    ],
)
def test_text_column_is_found(name: str) -> None:
    assert find_text_column(["id", name, "age"], wanted=None, where="in.csv") == name


def test_text_column_by_preference() -> None:
    columns = ["findings", "impression", "text", "report", "Reports", "Report Impression"]
    for count in range(6, 0, -1):
        assert find_text_column(columns[:count], wanted=None, where="in.csv") == columns[count - 1]


def test_no_text_column_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"Columns there are: 'id', 'note'\. Next step: .*--column NAME"):
        find_text_column(["id", "note"], wanted=None, where="in.csv")


def test_absent_column_gets_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no column 'raport'\. Did you mean 'report'\?.*'id', 'report'"):
        find_text_column(["id", "report"], wanted="raport", where="in.csv")


def test_named_column_in_other_case() -> None:
    assert (
        find_text_column(["id", "Clinical_Note"], wanted="clinical note", where="in.csv") == "Clinical_Note"
    )


def test_two_spellings_of_one_name_must_be_chosen() -> None:
    with pytest.raises(InputError, match="--column 'Report'"):
        find_text_column(["Report", "report"], wanted=None, where="in.csv")


def test_unique_names() -> None:
    assert unique_headers(["a", "a", "", "a_2", "a"])[0] == ("a", "a_3", "column_3", "a_2", "a_4")
    assert unique_columns(["Edema", "status", "Edema_hilum"], ["Edema", "status", "x", "x"]) == [
        "Edema_hilum_2", "status_hilum", "x", "x_hilum",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("id,report\n1,Clear\n", "csv"),
        ("\ufeffid,report\n1,Clear\n", "csv"),
        ("id\treport\n1\tClear\n", "tsv"),
        ('\n {"id": "1", "report": "Clear"}\n', "jsonl"),
    ],
)
def test_standard_input(content: str, kind: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        source = open_stream(io.BytesIO(content.lstrip("\ufeff").encode(encoding)))
        assert (source.format, source.resumable) == (kind, False)
        assert [r.cells for r in source.rows()] == [("1", "Clear")] == [r.cells for r in source.rows()]
        assert any("cannot resume" in note for note in source.notes)
        assert source.fingerprint().startswith("sha256:")


def test_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Stdin:
        buffer = io.BytesIO(b"report\nNo effusion, no edema.\n")

    monkeypatch.setattr("sys.stdin", _Stdin)
    assert [r.text for r in open_reports("-").rows()] == ["No effusion, no edema."]


@pytest.mark.parametrize("content", [b"", b"Lungs are clear.\n"])
def test_standard_input_without_table_says_how_it_is_read(content: bytes) -> None:
    with pytest.raises(InputError, match=r"standard input.*header line"):
        open_stream(io.BytesIO(content))


def test_file_that_is_not_there_or_of_no_known_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        open_reports(tmp_path / "gone.csv")
    (tmp_path / "in.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"'\.xlsx'.*It reads \.csv"):
        open_reports(tmp_path / "in.xlsx")
    (tmp_path / "in.csv").mkdir()
    with pytest.raises(InputError, match="holds no"):
        open_reports(tmp_path / "in.csv")
