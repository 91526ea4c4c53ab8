"""Label files: any format and column order, every cell accounted for, nothing guessed."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import CHEXPERT14, COLUMN_ORDERS, CSV_CODES, NIH14, State
from hilum.tables.labels import (
    LabelFile,
    read_label_files,
    read_labels,
    read_probabilities,
    read_reports_by_key,
)

P, N, U, B = State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK


def write(folder: Path, content: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def states(file: LabelFile, finding: str) -> list[State]:
    return [State(code) for code in file.matrix.column(finding)]


def refused(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_labels(path, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert path.name in message
    assert "  " not in message
    return message


def test_cells_become_states_and_columns_are_found_by_name(tmp_path: Path) -> None:
    file = read_labels(write(tmp_path, "Study,effusion,EDEMA\na,1.0,0\nb,-1,\nc,,1\n"))
    assert file.matrix.findings == ("Pleural Effusion", "Edema")
    assert states(file, "Pleural Effusion") == [P, U, B]
    assert states(file, "Edema") == [N, B, P]
    assert file.matrix.ids == ("a", "b", "c")
    assert (file.key, file.matrix.source, file.texts) == ("Study", "labels.csv", None)


@pytest.mark.parametrize("order", sorted(COLUMN_ORDERS))
def test_the_order_of_columns_does_not_matter(tmp_path: Path, order: str) -> None:
    names = COLUMN_ORDERS[order]
    path = write(
        tmp_path, f"id,{','.join(names)}\n1,{','.join('1' if n == 'Edema' else '0' for n in names)}\n"
    )
    file = read_labels(path)
    assert {f for f in file.matrix.findings if states(file, f) == [P]} == {"Edema"}


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        *((cell, P) for cell in ("1", "1.0", " 1 ", "True", "true")),
        *((cell, N) for cell in ("0", "0.0", "-0", "false")),
        *((cell, U) for cell in ("-1", "-1.0")),
        *((cell, B) for cell in ("", " ", "NaN", "nan", "null", "None", "<NA>")),
    ],
)
def test_every_usual_spelling_is_understood(tmp_path: Path, cell: str, state: State) -> None:
    assert states(read_labels(write(tmp_path, f"id,Edema,Fracture\n1,{cell},0\n")), "Edema") == [state]


def test_true_and_false_are_noted(tmp_path: Path) -> None:
    assert "true and false were read" in " ".join(read_labels(write(tmp_path, "id,Edema\n1,True\n")).notes)


@pytest.mark.parametrize("cell", ["2", "0.5", "-2", "yes", "positive", "1;0", "inf", "1e400"])
def test_a_cell_that_is_no_label_is_named_with_row_line_and_column(tmp_path: Path, cell: str) -> None:
    message = refused(write(tmp_path, f"id,Edema\n1,0\n\n2,{cell}\n3,1\n"))
    assert f"1 cell is no label. data row 2 (line 4), column 'Edema': {cell!r}." in message
    assert "Allowed: 1 positive, 0 negative, -1 uncertain, empty blank." in message


def test_all_bad_cells_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "id,Edema,Fracture\n" + "1,x,1\n" * 30))
    assert "30 cells are no label" in message
    assert "data row 5 (line 6)" in message
    assert "data row 6" not in message
    assert "and 25 more" in message


def test_probabilities_and_class_ids_are_recognised_in_a_label_file(tmp_path: Path) -> None:
    assert "look like probabilities" in refused(write(tmp_path, "id,Edema\n1,0.3\n2,0.99\n"))
    assert "CheXbert's class ids" in refused(write(tmp_path, "id,Edema\n1,3\n2,2\n"))
    assert "look like" not in refused(write(tmp_path, "id,Edema\n1,1\n2,2\n"))


def test_two_columns_for_one_finding_are_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "id,Edema,Oedema\n1,1,0\n"))
    assert "'Edema' and 'Oedema' are both Edema" in message
    assert "'Edema' and 'Edema'" in refused(write(tmp_path, "id,Edema,Edema\n1,1,0\n"))
    assert "both No Finding" in refused(write(tmp_path, "id,normal,No Finding,Edema,Fracture\n1,1,0,0,1\n"))


def test_no_finding_column_lists_columns_and_the_nearest(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "id,Atelectesis\n1,1\n"))
    assert "'id', 'Atelectesis'" in message
    assert "Nearest: 'Atelectesis' (Atelectasis?)" in message


def test_a_misspelt_column_beside_good_ones_is_noted(tmp_path: Path) -> None:
    notes = read_labels(write(tmp_path, "id,Edema,Atelectesis\n1,1,1\n")).notes
    assert "the column 'Atelectesis' was not read; was Atelectasis meant?" in notes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n \n", "only blank lines"),
        ("id,Edema\n", "has a header ('id', 'Edema') but no rows"),
        ("id,Edema,Fracture\n1,0\n", "1 row does not have the 3 cells of the header"),
        ("id,Edema\n1,0,1\n2,1\n", "line 2: 3 cells where the header has 2"),
        ("id,Edema,Fracture\n1,0,0\n2,1", "the file ends here, with 2 of 3 cells"),
        ('id,Edema\n1,"0\n2,1\n', "no label"),
    ],
)
def test_broken_tables_are_told(tmp_path: Path, content: str, said: str) -> None:
    assert said in refused(write(tmp_path, content))


def test_files_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "none.csv")
    assert "is a folder" in refused(tmp_path)
    assert "ending in '.xlsx'" in refused(write(tmp_path, "x", "a.xlsx"))
    assert "not a readable parquet" in refused(write(tmp_path, "x", "a.parquet"))
    assert "no JSON object" in refused(write(tmp_path, "[1]\n", "a.jsonl"))
    assert "only blank lines" in refused(write(tmp_path, "\n", "a.jsonl"))


def test_byte_order_mark_nul_utf16_and_semicolons(tmp_path: Path) -> None:
    text = "Edema;study_id\n1;a\n0;b\n"
    for content in (text.encode("utf-8-sig"), text.encode("utf-16"), text.encode("utf-16-le")):
        file = read_labels(write(tmp_path, content))
        assert (states(file, "Edema"), file.matrix.ids, file.key) == ([P, N], ("a", "b"), "study_id")
        assert "cells are separated by semicolons" in file.notes
    message = refused(write(tmp_path, b"id,Edema\n1,1\x00\n"))
    assert "'1\\x00'" in message
    file = read_labels(write(tmp_path, b"id,Edema\na\x00,1\n"))
    assert "1 NUL bytes are in the file; their rows are kept" in file.notes


def test_windows_line_ends_and_tabs(tmp_path: Path) -> None:
    assert states(read_labels(write(tmp_path, "id\tEdema\r\n1\t1\r\n", "a.tsv")), "Edema") == [P]
    assert states(read_labels(write(tmp_path, "id,Edema\r1,1\r2,0\r")), "Edema") == [P, N]


def test_gzip_also_a_truncated_one(tmp_path: Path) -> None:
    whole = gzip.compress(b"id,Edema\n" + b"1,1\n" * 50_000, mtime=0)
    assert len(read_labels(write(tmp_path, whole, "a.csv.gz")).matrix) == 50_000
    cut = read_labels(write(tmp_path, gzip.compress(b"id,Edema\n1,1\n")[:-6], "cut.csv.gz"))
    assert "truncated or damaged" in " ".join(cut.notes)


def test_jsonl_with_missing_keys_numbers_and_nulls(tmp_path: Path) -> None:
    lines = [{"uid": 7, "Edema": 1}, {"uid": 8.0, "Fracture": -1.0}, {"uid": "9", "Edema": None}]
    path = write(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "a.jsonl")
    file = read_labels(path)
    assert states(file, "Edema") == [P, B, B]
    assert states(file, "Fracture") == [B, U, B]
    assert file.matrix.ids == ("7", "8", "9")
    bad = refused(write(tmp_path, '{"id": 1, "Edema": [1]}\n{"id": 2, "Edema": {"a": 1}}\n', "bad.jsonl"))
    assert "data row 1 (line 1), column 'Edema': '[1]'" in bad


@pytest.mark.parametrize("kind", [pl.Float64, pl.Float32, pl.Int8, pl.String, pl.Categorical])
def test_parquet_of_any_column_type(tmp_path: Path, kind: pl.DataType) -> None:
    cells = pl.Series("Edema", [1, 0, -1, None]).cast(pl.String).cast(kind)
    path = tmp_path / "a.parquet"
    pl.DataFrame({"study_id": [1, 2, 3, 4], "Edema": cells}).write_parquet(path)
    assert states(read_labels(path), "Edema") == [P, N, U, B]


def test_parquet_nan_is_blank_and_bool_is_a_label(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"id": ["a", "b"], "Edema": [1.0, math.nan], "Fracture": [True, False]}).write_parquet(path)
    file = read_labels(path)
    assert states(file, "Edema") == [P, B]
    assert states(file, "Fracture") == [P, N]
    pl.DataFrame({"id": ["a", "b"], "Edema": [1.0, 0.4]}).write_parquet(path)
    assert "data row 2, column 'Edema': '0.4'" in refused(path)


def test_the_vocabulary_is_the_one_that_fits_and_ties_go_to_chexpert14(tmp_path: Path) -> None:
    both = read_labels(write(tmp_path, "id,Edema,Pneumonia\n1,0,1\n"))
    assert both.matrix.vocabulary is CHEXPERT14
    nih = read_labels(write(tmp_path, "id,Edema,Hernia,Mass\n1,0,1,0\n"))
    assert nih.matrix.vocabulary is NIH14
    assert "read as nih14, which has 3 of its columns (chexpert14 1)" in nih.notes
    asked = read_labels(write(tmp_path, "id,Edema,Hernia,Mass\n1,0,1,0\n"), vocabulary="chexpert14")
    assert asked.matrix.findings == ("Edema",)
    with pytest.raises(UnknownNameError, match="chexpert14"):
        read_labels(write(tmp_path, "id,Edema\n1,0\n"), vocabulary="chexpert")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("subject_id,study_id,Edema", "study_id"),
        ("patient,STUDY,Edema", "STUDY"),
        ("Path,Edema", "Path"),
        ("image,id,Edema", "id"),
        ("Report ID,filename,Edema", "Report ID"),
        ("row,Edema", None),
    ],
)
def test_the_key_column_is_found_by_name(tmp_path: Path, header: str, key: str | None) -> None:
    cells = ",".join(str(i) for i in range(header.count(",")))
    file = read_labels(write(tmp_path, f"{header}\n{cells},1\n"))
    assert file.key == key
    assert bool(file.matrix.ids) == (key is not None)


def test_the_key_can_be_chosen_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "study_id,row,Edema\na,1,1\n")
    assert read_labels(path, key="ROW").matrix.ids == ("1",)
    assert "Did you mean 'study_id'?" in refused(path, key="study")


def test_repeated_and_empty_keys_are_counted(tmp_path: Path) -> None:
    notes = read_labels(write(tmp_path, "id,Edema\na,1\na,0\n,1\n b ,1\n")).notes
    assert "1 key occurs more than once ('a' 2 times)" in notes
    assert "1 row has no key" in notes
    empty = read_labels(write(tmp_path, "id,Edema\n,1\n,0\n"))
    assert (empty.key, empty.matrix.ids) == (None, ())


def test_an_output_of_hilum_label_is_a_label_file_with_texts_and_status(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'id,Report Impression,No Finding,Edema,status\n1,"Edema,\nmild.",,1,labeled\n2,,,,empty\n3,7,,,unreadable\n',
    )
    file = read_labels(path)
    assert file.texts == ("Edema,\nmild.", None, "7")
    assert "1 row has the status 'empty'" in file.notes
    assert "1 row has the status 'unreadable'" in file.notes
    assert read_labels(path, texts=False).texts is None
    assert read_labels(path, text_column="id").texts == ("1", "2", "3")


def test_what_a_labeler_left_empty_is_no_blank_when_it_is_asked_for(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,Edema,Fracture,abstained,status\na,1,,Fracture,labeled\nb,,,,failed\nc,,0,,labeled\n"
        "d,,,Edema; Fracture,labeled\ne,,,,empty\nf,,1,,cut\ng,,,Edema,my own word\n",
    )
    plain = read_labels(path)
    assert states(plain, "Edema") == [P, B, B, B, B, B, B]
    assert "4 labels were too doubtful to be given (column 'abstained')" in plain.notes
    assert "1 row has the status 'failed'" in plain.notes
    known = read_labels(path, left_out=True)
    assert known.notes == plain.notes
    assert known.matrix.column("Edema").tolist() == [P, LEFT_OUT, B, LEFT_OUT, LEFT_OUT, B, LEFT_OUT]
    assert known.matrix.column("Fracture").tolist() == [LEFT_OUT, LEFT_OUT, N, LEFT_OUT, LEFT_OUT, P, B]


def test_columns_of_the_same_name_before_those_of_hilum_are_not_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,status,abstained,Edema,abstained_hilum,status_hilum\na,failed,Edema,,,labeled\nb,ok,,,Edema,failed\n",
    )
    assert read_labels(path, left_out=True).matrix.column("Edema").tolist() == [B, LEFT_OUT]


def test_columns_that_hilum_added_are_read_by_suffix(tmp_path: Path) -> None:
    path = write(tmp_path, "id,Edema,text,Edema_hilum,status\n1,1,a,0,labeled\n")
    assert states(read_labels(path), "Edema") == [P]
    assert "there are also columns called NAME_hilum" in " ".join(read_labels(path).notes)
    assert states(read_labels(path, suffix="_hilum"), "Edema") == [N]
    assert "no column ending in '_x'" in refused(path, suffix="_x")


def test_probabilities(tmp_path: Path) -> None:
    file = read_probabilities(write(tmp_path, "Study,Edema,Effusion\na,0.25,1\nb,1e-3,0\n"))
    assert np.array_equal(file.matrix.values_NF, [[0.25, 1.0], [0.001, 0.0]])
    assert file.matrix.ids == ("a", "b")
    for cell, hint in (("", ""), ("nan", ""), ("1.2", "percentages"), ("-0.1", ""), ("high", "")):
        with pytest.raises(InputError, match=r"data row 1 \(line 2\), column 'Edema'") as caught:
            read_probabilities(write(tmp_path, f"id,Edema\n1,{cell}\n"))
        assert "numbers from 0 to 1" in str(caught.value)
        assert hint in str(caught.value)
    with pytest.raises(InputError, match="no rows"):
        read_probabilities(write(tmp_path, "id,Edema\n"))


def test_files_that_are_compared_get_one_vocabulary_and_one_key(tmp_path: Path) -> None:
    a = write(tmp_path, "id,filename,normal,Effusion,Mass\n1,x,0,1,0\n", "a.csv")
    b = write(tmp_path, "report_id,filename,No Finding,Pleural Effusion,Fracture\n9,x,0,1,1\n", "b.csv")
    one, other = read_label_files({"A": a, "B": b})
    assert one.matrix.vocabulary is other.matrix.vocabulary is CHEXPERT14
    assert (one.key, other.key, one.matrix.source) == ("filename", "filename", "A")
    one, other = read_label_files({"A": a, "B": b}, key=["id", None])
    assert (one.key, other.key) == ("id", "report_id")


def test_reports_by_key(tmp_path: Path) -> None:
    found = read_reports_by_key(write(tmp_path, 'Study,Report Impression\na,"No edema."\nb,\n', "r.csv"))
    assert (found.ids, found.texts, found.key) == (("a", "b"), ("No edema.", None), "Study")
    (tmp_path / "texts").mkdir()
    write(tmp_path / "texts", "Clear.", "s1.txt")
    assert read_reports_by_key(tmp_path / "texts").ids == ("s1",)
    with pytest.raises(InputError, match="no column 'x'"):
        read_reports_by_key(tmp_path / "r.csv", key="x")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(list(State)), min_size=3, max_size=3), min_size=1, max_size=20),
    st.permutations(["Edema", "Fracture", "No Finding", "Study"]),
)
def test_what_was_written_is_read_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[State]], columns: list[str]
) -> None:
    findings = ("Edema", "Fracture", "No Finding")
    lines = [",".join(columns)]
    for number, row in enumerate(rows):
        cells = {
            f: "" if CSV_CODES[s] is None else str(CSV_CODES[s]) for f, s in zip(findings, row, strict=True)
        }
        lines.append(",".join({"Study": f"s{number}", **cells}[column] for column in columns))
    file = read_labels(write(tmp_path_factory.mktemp("any"), "\n".join(lines)))
    assert np.array_equal(file.matrix.select(findings).states_NF, np.array(rows))
    assert file.matrix.ids == tuple(f"s{n}" for n in range(len(rows)))
