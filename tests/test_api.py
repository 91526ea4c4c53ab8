from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hilum
from hilum.api import LabelJob, label_file
from hilum.core.errors import InputError, MissingExtraError, ResumeError, UnknownNameError
from hilum.core.records import Labels, RowStatus
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.runner.local import WorkerError

PLUGIN = Path(__file__).parent / "runner" / "plugin"
TEXTS = ["No edema.", "Mild edema.", "Heart size is normal."]


@pytest.fixture
def fake(monkeypatch):
    """The labeler "fake" of a third party; worker processes see it too, by the module path."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    return "fake"


def reports(folder: Path, texts: list[str], name: str = "in.csv") -> Path:
    path = folder / name
    pl.DataFrame({"id": [f"r{i}" for i in range(len(texts))], "report": texts}).write_csv(path)
    return path


# texts


def test_one_text_gives_labels():
    labels = hilum.label("Small left pleural effusion. No pneumothorax.")
    assert isinstance(labels, Labels)
    assert labels["Pleural Effusion"] is State.POSITIVE
    assert labels["Pneumothorax"] is State.NEGATIVE
    assert labels["Edema"] is State.BLANK


def test_a_list_gives_a_table(fake):
    table = hilum.label(TEXTS, labeler=fake)
    assert len(table) == 3
    assert table.vocabulary is CHEXPERT14
    assert [labels["Edema"] for labels in table] == [State.NEGATIVE, State.POSITIVE, State.BLANK]
    assert table[1].evidence[0].entry == "fake/edema"
    assert len(table[1:]) == 2
    assert table.states.dtype == np.int8
    assert table.states.shape == (3, 14)
    edema = CHEXPERT14.index("Edema")
    assert table.states[:, edema].tolist() == [2, 1, 0]
    assert [row[edema] for row in table.to_csv_codes()] == [0, 1, None]


def test_no_texts_give_an_empty_table(fake):
    table = hilum.label([], labeler=fake)
    assert table.states.shape == (0, 14)
    assert table.to_frame().shape == (0, 15)
    assert table.to_frame("pandas").shape == (0, 15)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (None, RowStatus.EMPTY),
        (float("nan"), RowStatus.EMPTY),
        (np.float32("nan"), RowStatus.EMPTY),
        (pd.NA, RowStatus.EMPTY),
        (pd.NaT, RowStatus.EMPTY),
        ("", RowStatus.EMPTY),
        (" \n\t", RowStatus.EMPTY),
        (7, RowStatus.UNREADABLE),
        (["No edema."], RowStatus.UNREADABLE),
        ("HISTORY: Edema.", RowStatus.NO_SUCH_SECTION),
    ],
)
def test_values_without_a_report_get_a_status_and_blanks(fake, value, status):
    labels = hilum.label([value, "No edema."], labeler=fake)
    assert labels[0].status is status
    assert set(labels[0].states) == {State.BLANK}
    assert labels[1].status is RowStatus.LABELED


def test_frames_have_nullable_codes(fake):
    table = hilum.label(TEXTS, labeler=fake)
    frame = table.to_frame()
    assert frame.columns == [*CHEXPERT14.names, "status"]
    assert frame.schema["Edema"] == pl.Int8
    assert frame["Edema"].to_list() == [0, 1, None]
    pandas = table.to_frame("pandas")
    assert str(pandas["Edema"].dtype) == "Int8"
    assert pandas["Edema"].tolist()[:2] == [0, 1]
    assert pandas["Edema"].isna().tolist() == [False, False, True]


def test_a_series_is_labeled_and_a_pandas_index_is_kept(fake):
    assert hilum.label(pl.Series(TEXTS), labeler=fake).states.tolist() == (
        hilum.label(TEXTS, labeler=fake).states.tolist()
    )
    frame = pd.DataFrame({"report": [*TEXTS, None]}, index=[10, 7, 7, 3]).iloc[1:]
    labeled = hilum.label(frame["report"], labeler=fake).to_frame("pandas")
    assert labeled.index.tolist() == [7, 7, 3]
    assert labeled["status"].tolist() == ["labeled", "labeled", "empty"]


def test_without_pandas_the_error_says_what_to_install(fake, monkeypatch):
    table = hilum.label(TEXTS, labeler=fake)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hilum\[pandas\]'"):
        table.to_frame("pandas")


def test_a_labeler_can_be_built_once_and_used_often(fake):
    built = hilum.get_labeler(fake, vocabulary="chexpert14", convention="house")
    assert hilum.label("Edema.", labeler=built)["Edema"] is State.POSITIVE


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'rules'"):
        hilum.label(TEXTS, labeler="rule")
    with pytest.raises(InputError, match="impression"):
        hilum.label(TEXTS, section="conclusion")


def test_a_report_that_the_labeler_fails_on_costs_no_other(fake):
    table = hilum.label(["No edema.", "BOOM", "Edema."], labeler=fake)
    assert [labels.status.value for labels in table] == ["labeled", "unreadable", "labeled"]
    with pytest.raises(ValueError, match="boom"):
        hilum.label(["BOOM", "BOOM"], labeler=fake)


def test_import_is_light():
    code = "import hilum, sys; print({'numpy', 'polars', 'pandas', 'hilum.api'} & set(sys.modules) or 'none')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "none\n"
    assert set(hilum.__all__) == set(dir(hilum))
    with pytest.raises(AttributeError, match="no attribute 'lable'"):
        hilum.lable  # noqa: B018
    assert all(getattr(hilum, name) is not None for name in hilum.__all__)


# files


def test_parts_and_workers_do_not_show_in_any_output(fake, tmp_path):
    source = reports(tmp_path, [TEXTS[i % 3] + (" BOOM" if i == 41 else "") for i in range(95)])
    outputs = []
    for workers, chunk_size in ((1, 1000), (1, 7), (2, 7), (3, 30)):
        folder = tmp_path / f"{workers}-{chunk_size}"
        folder.mkdir()
        names = {"output": "o.csv", "evidence": "e.jsonl", "html": "p.html"}
        paths = {what: folder / name for what, name in names.items()}
        job = LabelJob(source, **paths, labeler=fake, html_limit=50, workers=workers, chunk_size=chunk_size)
        summary = label_file(job)
        assert summary.rows == 95
        assert summary.page_rows == 50
        assert summary.status["unreadable"] == 1
        assert any("row 42: the labeler failed: ValueError: boom" in note for note in summary.notes)
        outputs.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert len(outputs[0]) == 4
    assert outputs[0] == outputs[1] == outputs[2] == outputs[3]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_holds_the_same(fake, tmp_path, ending):
    source = reports(tmp_path, [*TEXTS, ""])
    out = tmp_path / f"o.{ending}"
    label_file(LabelJob(source, out, labeler=fake, chunk_size=2))
    if ending == "parquet":
        frame = pl.read_parquet(out)
        assert frame.schema["Edema"] == pl.Int8
    elif ending == "jsonl":
        frame = pl.read_ndjson(out)
    else:
        frame = pl.read_csv(out, separator="\t" if ending == "tsv" else ",")
    assert frame["id"].to_list() == ["r0", "r1", "r2", "r3"]
    assert frame["Edema"].to_list() == [0, 1, None, None]
    assert frame["status"].to_list() == ["labeled", "labeled", "labeled", "empty"]


def test_the_record_beside_the_output_says_how_it_was_made(fake, tmp_path):
    source = reports(tmp_path, TEXTS)
    summary = label_file(LabelJob(source, tmp_path / "o.csv", labeler=fake, convention="chexpert"))
    text = (tmp_path / "o.csv.provenance.json").read_text()
    record = json.loads(text)
    assert record["hilum"] == hilum.__version__
    assert record["labeler"] == dict(summary.stamp)
    assert record["labeler"]["convention"] == "chexpert"
    assert record["input"]["name"] == "in.csv"
    assert len(record["input"]["fingerprint"]) == len("sha256:") + 64
    assert record["rows"] == 3
    assert record["status"]["labeled"] == 3
    assert str(tmp_path) not in text


def test_columns_that_are_there_already_are_kept_beside_the_new_ones(fake, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("Edema,report,status\n1,No edema.,old\n")
    summary = label_file(LabelJob(path, tmp_path / "o.csv", labeler=fake))
    row = pl.read_csv(tmp_path / "o.csv").row(0, named=True)
    assert (row["Edema"], row["status"]) == (1, "old")
    assert (row["Edema_hilum"], row["status_hilum"]) == (0, "labeled")
    assert any("'Edema' already, so the new one is called 'Edema_hilum'" in note for note in summary.notes)


def test_a_column_named_for_its_section_needs_no_heading(fake, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("Report Impression\nNo edema.\n")
    label_file(LabelJob(path, tmp_path / "o.csv", labeler=fake, section="impression"))
    assert pl.read_csv(tmp_path / "o.csv")["Edema"].to_list() == [0]


def test_parents_follow_when_asked(fake, tmp_path):
    source = reports(tmp_path, ["Edema."])
    label_file(LabelJob(source, tmp_path / "o.csv", labeler=fake, propagate_parents=True))
    row = pl.read_csv(tmp_path / "o.csv").row(0, named=True)
    assert (row["Edema"], row["Lung Opacity"]) == (1, 1)


def test_a_labeler_that_fails_on_everything_keeps_the_other_chunks(fake, tmp_path):
    source = reports(tmp_path, ["Edema.", "Edema.", "BOOM", "BOOM", "Edema.", "Edema."])
    job = LabelJob(source, tmp_path / "o.csv", labeler=fake, chunk_size=2)
    with pytest.raises(WorkerError, match="items 3 to 4: ValueError: boom"):
        label_file(job)
    assert not (tmp_path / "o.csv").exists()
    with pytest.raises(ResumeError, match="chunk size was 2 and is now 3"):
        label_file(LabelJob(source, tmp_path / "o.csv", labeler=fake, chunk_size=3))


def test_an_input_that_changes_while_it_is_read_writes_nothing(fake, tmp_path):
    source = reports(tmp_path, TEXTS)

    def meddle(*_: object) -> None:
        source.write_text("id,report\nr0,Edema.\n")

    with pytest.raises(InputError, match="was changed while it was being labeled"):
        label_file(LabelJob(source, tmp_path / "o.csv", labeler=fake), progress=meddle)
    assert not (tmp_path / "o.csv").exists()


def test_an_old_output_stays_until_the_new_one_is_whole(fake, tmp_path):
    (tmp_path / "o.csv").write_text("old")
    bad = reports(tmp_path, ["BOOM", "BOOM"], "bad.csv")
    with pytest.raises(WorkerError):
        label_file(LabelJob(bad, tmp_path / "o.csv", labeler=fake))
    assert (tmp_path / "o.csv").read_text() == "old"
    good = reports(tmp_path, TEXTS)
    label_file(LabelJob(good, tmp_path / "o.csv", labeler=fake, fresh=True))
    assert pl.read_csv(tmp_path / "o.csv").height == 3
