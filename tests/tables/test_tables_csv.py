"""csv and tsv: rows, faults of quotes and cells, never a row lost to another one's fault."""

from __future__ import annotations

import csv
import gzip
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables import InputRow, open_reports
from hilum.tables.csv_lenient import split_record
from hilum.tables.csv_records import CsvRecords


def _read(
    tmp_path: Path, content: str | bytes, *, name: str = "in.csv", column: str | None = None
) -> list[InputRow]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(open_reports(path, column=column).rows())


def _by_id(rows: list[InputRow]) -> dict[str, InputRow]:
    return {str(row.cells[0]): row for row in rows}


def test_clean_file_keeps_every_cell_and_finds_the_text(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,Report Impression,age\n1,"No effusion, no edema.",60\n2,Clear lungs.,\n')
    assert rows == [
        InputRow(("1", "No effusion, no edema.", "60"), "No effusion, no edema."),
        InputRow(("2", "Clear lungs.", ""), "Clear lungs."),
    ]


def test_cell_of_several_lines_is_one_row(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report\r\n1,"FINDINGS: Clear.\r\n\r\nIMPRESSION: ""Normal""."\r\n2,Edema.\r\n')
    assert [r.text for r in rows] == ['FINDINGS: Clear.\r\n\r\nIMPRESSION: "Normal".', "Edema."]
    assert all(r.status is None and not r.problem for r in rows)


def test_unbalanced_quote_costs_no_other_row(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,age\n1,"No edema,33\n2,"Normal, clear",44\n3,Edema,55\n')
    assert [r.text for r in rows] == ['"No edema', "Normal, clear", "Edema"]
    assert "line 2: unbalanced quote" in rows[0].problem
    assert rows[1] == InputRow(("2", "Normal, clear", "44"), "Normal, clear")


def test_unbalanced_quote_with_delimiters_is_unreadable_and_keeps_the_raw_line(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,age\n1,"No edema, no mass,33\n2,"Normal",44\n')
    assert rows[0].status is RowStatus.UNREADABLE
    assert rows[0].cells == (None, '1,"No edema, no mass,33', None)
    assert rows[0].text is None
    assert rows[1].text == "Normal"


def test_quote_that_runs_to_the_end_of_an_unquoted_file_swallows_nothing(tmp_path: Path) -> None:
    body = "".join(f"{i},Report {i}\n" for i in range(2, 200))
    rows = _read(tmp_path, 'id,report\n1,"Edema\n' + body)
    assert len(rows) == 199
    assert rows[0].text == '"Edema'
    assert rows[-1] == InputRow(("199", "Report 199"), "Report 199")


def test_quote_that_closes_rows_later_swallows_nothing(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,age\n1,"Edema,3\n2,Clear,4\n3,"",5\n4,Mass,"\n5,Clear,6\n')
    found = _by_id(rows)
    assert found["2"].text == "Clear"
    assert found["5"].text == "Clear"
    assert found["3"].cells == ("3", "", "5")


def test_bare_quotes_inside_a_quoted_cell_are_kept(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,age\n1,"No "acute" disease, clear",33\n2,Edema,44\n')
    assert rows[0].cells == ("1", 'No "acute" disease, clear', "33")
    assert "kept as text" in rows[0].problem
    assert rows[1].text == "Edema"


def test_bare_quotes_inside_a_cell_of_several_lines_are_kept(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,age\n1,"FINDINGS: "mild" edema\nIMPRESSION: CHF",33\n2,Edema,44\n')
    assert rows[0].cells == ("1", 'FINDINGS: "mild" edema\nIMPRESSION: CHF', "33")
    assert [r.text for r in rows[1:]] == ["Edema"]


def test_file_that_ends_inside_a_quoted_cell_is_cut(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,age\n1,Clear,20\n2,"FINDINGS: Small effusion.\nIMPRESS')
    assert rows[1] == InputRow(
        ("2", "FINDINGS: Small effusion.\nIMPRESS", None),
        "FINDINGS: Small effusion.\nIMPRESS",
        RowStatus.CUT,
        "line 3: the file ends inside a quoted cell",
    )


def test_file_that_ends_before_the_text_is_cut(tmp_path: Path) -> None:
    rows = _read(tmp_path, "id,report\n1,Clear\n2")
    assert (rows[1].status, rows[1].text, rows[1].cells) == (RowStatus.CUT, None, ("2", None))


def test_good_row_of_several_lines_after_an_unbalanced_quote(tmp_path: Path) -> None:
    rows = _read(tmp_path, 'id,report,n\n1,"No edema,\n2,"FINDINGS: Clear.\nNormal.\n",x\n3,"a, b",y\n')
    assert rows[0].status is RowStatus.UNREADABLE or rows[0].problem
    assert _by_id(rows)["2"].text == "FINDINGS: Clear.\nNormal.\n"
    assert _by_id(rows)["3"].text == "a, b"


def test_too_few_cells_are_padded_and_still_read(tmp_path: Path) -> None:
    rows = _read(tmp_path, "report,age,sex\nClear,20\nEdema,30,F\n")
    assert rows[0] == InputRow(("Clear", "20", None), "Clear", None, "line 2: 2 of 3 cells")
    assert rows[1].problem == ""


def test_row_without_its_text_cell_is_unreadable(tmp_path: Path) -> None:
    rows = _read(tmp_path, "age,report\n20\n30,Edema\n")
    assert rows[0].status is RowStatus.UNREADABLE
    assert rows[0].cells == ("20", None)


def test_too_many_cells_are_never_shifted(tmp_path: Path) -> None:
    rows = _read(tmp_path, "id,report\n1,No edema, no effusion\n2,Clear,,\n3,Mass\n")
    assert rows[0].status is RowStatus.UNREADABLE
    assert rows[0].cells == (None, "1,No edema, no effusion")
    assert rows[0].problem == "line 2: 3 cells where the header has 2"
    assert rows[1] == InputRow(("2", "Clear"), "Clear", None, "line 3: 2 empty extra cells left out")
    assert rows[2].text == "Mass"


def test_single_column_without_quotes_takes_the_whole_line(tmp_path: Path) -> None:
    rows = _read(tmp_path, "report\nNo edema, no effusion.\nClear.\n")
    assert [r.text for r in rows] == ["No edema, no effusion.", "Clear."]


def test_bare_carriage_return_in_an_unquoted_cell_is_kept(tmp_path: Path) -> None:
    rows = _read(tmp_path, "id,report,age\n1,Heart normal.\rLungs clear.,40\n2,Edema,50\n")
    assert [r.text for r in rows] == ["Heart normal.\rLungs clear.", "Edema"]


def test_old_mac_line_ends(tmp_path: Path) -> None:
    assert [r.text for r in _read(tmp_path, "id,report\r1,Clear\r2,Edema\r")] == ["Clear", "Edema"]


def test_blank_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("\n\nid,report\n\n1,Clear\n   \n2,Edema\n\n")
    source = open_reports(path)
    assert [r.text for r in source.rows()] == ["Clear", "Edema"]
    assert "3 blank lines left out" in source.notes


def test_nul_bytes_keep_their_row_and_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"id,report\n1,No\0 edema\n2,Clear\n")
    source = open_reports(path)
    assert [r.text for r in source.rows()] == ["No\0 edema", "Clear"]
    assert any("1 NUL bytes" in note for note in source.notes)


@pytest.mark.parametrize("word", ["", "nan", "NaN", "NULL", "None", "<NA>"])
def test_missing_text_is_no_text_and_no_fault(tmp_path: Path, word: str) -> None:
    rows = _read(tmp_path, f"id,report\n1,{word}\n2,Clear\n")
    assert not rows[0].text
    assert rows[0].status is None
    assert rows[0].cells == ("1", word)


def test_number_is_no_report(tmp_path: Path) -> None:
    rows = _read(tmp_path, "id,report\n1,12.5\n2,-3e4\n3,2 nodules\n")
    assert [r.status for r in rows] == [RowStatus.UNREADABLE, RowStatus.UNREADABLE, None]
    assert rows[0].problem == "number instead of text: 12.5"


def test_right_to_left_and_emoji(tmp_path: Path) -> None:
    text = "القلب طبيعي 🫁 אין תפליט"
    assert _read(tmp_path, f"id,report\n1,{text}\n")[0].text == text


def test_row_of_ten_megabytes_between_good_rows(tmp_path: Path) -> None:
    big = "No effusion. " * 800_000
    for cell in (big, '"' + big.replace(". ", ".\n") + '"'):
        rows = _read(tmp_path, f"id,report\n1,Clear\n2,{cell}\n3,Edema\n")
        assert len(rows) == 3
        assert rows[1].text is not None
        assert len(rows[1].text) == len(big)
        assert rows[1].problem == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [("in.tsv", "id\treport\n1\tNo edema, clear\n"), ("in.csv", "id;report\n1;No edema, clear\n")],
)
def test_other_delimiters(tmp_path: Path, name: str, content: str) -> None:
    assert _read(tmp_path, content, name=name)[0].cells == ("1", "No edema, clear")


def test_gzip_and_truncated_gzip(tmp_path: Path) -> None:
    lines = "".join(f"{i},Report number {i * 7919}\n" for i in range(5000))
    packed = gzip.compress(("id,report\n" + lines).encode())
    path = tmp_path / "in.csv.gz"
    path.write_bytes(packed)
    assert len(list(open_reports(path).rows())) == 5000
    path.write_bytes(packed[: len(packed) // 2])
    source = open_reports(path)
    rows = list(source.rows())
    assert 1000 < len(rows) < 5000
    assert rows[0].text == "Report number 0"
    assert any("truncated" in note for note in source.notes)


def test_start_skips_rows_and_rows_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('id,report\n1,"a\n2,Clear\n3,Edema\n4,Mass\n')
    source = open_reports(path)
    everything = list(source.rows())
    assert list(source.rows(2)) == everything[2:]
    assert list(source.rows(99)) == []
    assert list(source.rows()) == everything


def test_fingerprint_changes_with_any_byte(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,report\n1,Clear\n")
    before = open_reports(path).fingerprint()
    assert open_reports(path).fingerprint() == before
    path.write_text("id,report\n1,Cleer\n")
    assert open_reports(path).fingerprint() != before


def test_row_count_hint_is_near(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,report\n" + "".join(f'{i},"Line one {i}.\nLine two."\n' for i in range(20_000)))
    hint = open_reports(path).row_count_hint()
    assert hint is not None
    assert 17_000 < hint < 23_000
    path.write_text("id,report\n1,Clear\n2,Edema\n")
    assert open_reports(path).row_count_hint() == 2


def test_header_only_has_no_rows(tmp_path: Path) -> None:
    assert _read(tmp_path, "id,report\n") == []


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_empty_file_is_said_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"is empty|only blank lines"):
        _read(tmp_path, content)


def test_duplicate_and_empty_headers_get_names_and_notes(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,id,,report,column_3\n1,2,3,Clear,5\n")
    source = open_reports(path)
    assert source.columns == ("id", "id_2", "column_3_2", "report", "column_3")
    assert len(source.notes) == 2
    assert next(source.rows()).cells == ("1", "2", "3", "Clear", "5")


def test_duplicate_text_column_must_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'report' and 'report_2'.*--column"):
        _read(tmp_path, "report,report\na,b\n")
    assert _read(tmp_path, "report,report\na,b\n", column="report_2")[0].text == "b"


@pytest.mark.parametrize(
    "line",
    [
        'a","x\n',
        '"\n',
        '"""\n',
        'x,"\n',
        '",""\n',
        '"a""b\n',
        '""""\n',
        ',"\n',
        'a"b,"c\n',
        '" ""\n',
        'a,"\n""\n',
    ],
)
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_a_megabyte_of_hostile_quotes_takes_seconds_and_loses_no_good_row(
    tmp_path: Path, line: str, columns: int
) -> None:
    size = 1_000_000 if line.startswith('a",') and columns == 1 else 200_000  # the slowest of them in full
    header = ",".join(["report", "b", "c"][:columns])
    good = ",".join(["Lungs are clear and well seen today by us all", "x", "y"][:columns]) + "\n"
    text = header + "\n" + good + line * (size // len(line)) + "\n" + good
    start = time.perf_counter()
    rows = _read(tmp_path, text)
    assert time.perf_counter() - start < 20
    assert rows[0].text == "Lungs are clear and well seen today by us all"


def test_reader_does_not_lower_the_cell_limit_of_others(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    _read(tmp_path, "id,report\n1,Clear\n")
    assert csv.field_size_limit() >= before


def _write(rows: list[list[str]]) -> list[str]:
    """The physical text of each record."""

    class _Sink(list[str]):
        def write(self, record: str) -> None:
            self.append(record)

    sink = _Sink()
    csv.writer(sink, lineterminator="\r\n").writerows(rows)
    return list(sink)


_CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text('a",\n\r ', max_size=8)


@given(st.lists(st.tuples(_CELL, _CELL, _CELL), max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_text_cell_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, ...]]
) -> None:
    records = [list(row) for row in cells if any(c.strip() for c in row)]
    path = tmp_path_factory.mktemp("csv") / "in.csv"
    path.write_bytes("".join(_write([["id", "report", "age"], *records])).encode())
    assert [list(r.cells) for r in open_reports(path).rows()] == records


_WORDS = st.text('ab ,"\n', min_size=1, max_size=12).map(lambda s: "t" + s)


@given(
    st.lists(st.tuples(_WORDS, _WORDS), min_size=3, max_size=10),
    st.data(),
)
@settings(max_examples=300, deadline=None)
def test_damage_to_one_line_never_loses_another_row(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], data: st.DataObject
) -> None:
    records = _write([["id", "report", "note"], *([f"id{i}", *row] for i, row in enumerate(cells))])
    victim = data.draw(st.integers(1, len(records) - 1))
    line = records[victim].removesuffix("\r\n")
    place = data.draw(st.integers(0, len(line)))
    damage = data.draw(st.sampled_from(['"', '""', ",", '",', ',"', '"x', "\0", "delete", "cut"]))
    if damage == "delete":
        line = line[:place] + line[place + 1 :]
    else:
        line = line[:place] if damage == "cut" else line[:place] + damage + line[place:]
    records[victim] = line + "\r\n"
    path = tmp_path_factory.mktemp("csv") / "in.csv"
    path.write_bytes("".join(records).replace("\r\n", "\n").encode())
    found = _by_id(list(open_reports(path).rows()))
    for i, row in enumerate(cells):
        if i != victim - 1:
            assert found[f"id{i}"].cells == (f"id{i}", *row)
            assert found[f"id{i}"].status is None


@given(st.text('a",\n', max_size=30))
@settings(max_examples=300, deadline=None)
def test_lenient_split_loses_no_letter(text: str) -> None:
    split = split_record(text, ",")
    assert sum(c.count("a") for c in split.cells) == text.count("a")


@given(st.lists(st.text('a",x', max_size=6), max_size=25), st.integers(1, 3))
@settings(max_examples=400, deadline=None)
def test_every_letter_of_any_lines_is_in_some_cell(lines: list[str], width: int) -> None:
    body = [line + "\n" for line in lines]
    records = CsvRecords(iter([",".join("abc"[:width]) + "\n", *body]), ",")
    assert len(records.header()) == width
    letters = 0
    for cells, fault in records:
        letters += (fault.raw if fault and fault.fatal else ",".join(cells)).count("x")
    assert letters == "".join(lines).count("x")
