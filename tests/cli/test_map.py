from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from hilum.analyses.mappings import fit_logreg, fit_zero_one, load_mapping, save_mapping
from hilum.api.mapping import map_file
from hilum.cli.main import told
from hilum.cli.map import map_labels
from hilum.core.errors import InputError, OutputError
from hilum.core.matrix import LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14
from hilum.tables.labels import read_labels, read_probabilities

REPORTED = ("Edema", "Fracture")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = rng_for(5, "map")
    states = rng.integers(0, 4, size=(80, 2)).astype(np.int8)
    truth = ((states == 1) ^ (rng.random((80, 2)) < 0.2)).astype(np.int8)
    report = LabelMatrix("reports", CHEXPERT14, REPORTED, (), states)
    save_mapping(fit_zero_one(report, truth, REPORTED), tmp_path / "zero-one.json")
    save_mapping(fit_logreg(report, truth[:, :1], ("Edema",)), tmp_path / "logreg.json")
    (tmp_path / "labels.csv").write_text("Fracture,Study,Edema,other\n,a,1,x\n-1,b,0,y\n1,a,,z\n")
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(map_labels))
    done = CliRunner().invoke(app, [str(folder / a) if "." in a else a for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_rows_keep_their_key_and_order(folder: Path) -> None:
    said = run(folder, "zero-one.json", "labels.csv", "-o", "out.csv")
    rows = list(csv.reader((folder / "out.csv").read_text().splitlines()))
    expected = load_mapping(folder / "zero-one.json").apply(read_labels(folder / "labels.csv").matrix)
    assert rows[0] == ["Study", "Edema", "Fracture"]
    assert [row[0] for row in rows[1:]] == ["a", "b", "a"]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == expected.tolist()
    assert "3 studies by the zero-one mapping" in said
    assert "Edema: 1 positive (33.3%)" in said


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_report_without_labels_gets_none(name: str, folder: Path) -> None:
    (folder / "labels.csv").write_text(
        "Study,Edema,Fracture,abstained,status\na,1,,Fracture,labeled\nb,,,,failed\nc,,,,labeled\n"
    )
    said = run(folder, "logreg.json", "labels.csv", "-o", name, "--probabilities")
    path = folder / name
    found = pl.read_csv(path) if name.endswith(".csv") else pl.read_parquet(path)
    assert [value is None for value in found["Edema"]] == [False, True, False]
    assert [value is None for value in found["Edema probability"]] == [False, True, False]
    assert "1 row has no label (status, abstained), and none in the output" in " ".join(said.split())


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
def test_every_format_comes_back_with_its_probabilities(name: str, folder: Path) -> None:
    run(folder, "logreg.json", "labels.csv", "--output", name, "--probabilities")
    labels = read_labels(folder / name).matrix
    values = read_probabilities(folder / name, suffix=" probability").matrix
    assert labels.ids == ("a", "b", "a")
    assert labels.findings == values.findings == ("Edema",)
    assert ((values.values_NF > 0.5) == labels.binary()).all()
    if name == "out.parquet":
        assert pl.read_parquet(folder / name).schema == {
            "Study": pl.String,
            "Edema": pl.Int8,
            "Edema probability": pl.Float64,
        }
    if name == "out.jsonl":
        first = json.loads((folder / name).read_text().splitlines()[0])
        assert list(first) == ["Study", "Edema", "Edema probability"]


def test_many_rows_are_written_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    map_file(folder / "zero-one.json", folder / "labels.csv", output=folder / "whole.csv")
    monkeypatch.setattr("hilum.api.mapping._ROWS_OF_PART", 2)
    done = map_file(folder / "zero-one.json", folder / "labels.csv", output=folder / "parts.csv")
    assert (folder / "parts.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    assert (done.studies, done.key, done.kind) == (3, "Study", "zero-one")
    map_file(folder / "zero-one.json", folder / "labels.csv", output=folder / "parts.parquet")
    assert len(pl.read_parquet(folder / "parts.parquet")) == 3


def test_labels_without_a_key_are_mapped_and_it_is_said(folder: Path) -> None:
    (folder / "plain.csv").write_text("Edema,Fracture\n1,\n")
    assert "no key column was found" in run(folder, "zero-one.json", "plain.csv", "-o", "out.csv")
    assert (folder / "out.csv").read_text().splitlines()[0] == "Edema,Fracture"


def test_errors_are_told(folder: Path) -> None:
    (folder / "less.csv").write_text("Study,Edema\na,1\n")
    assert "no column for Fracture" in run(folder, "zero-one.json", "less.csv", "-o", "out.csv", code=2)
    said = run(folder, "zero-one.json", "labels.csv", "-o", "out.csv", "--probabilities", code=2)
    assert "A zero-one mapping has no probabilities" in said
    (folder / "other.json").write_text("{}")
    assert "no mapping file" in run(folder, "other.json", "labels.csv", "-o", "out.csv", code=2)
    assert "one of" in run(folder, "zero-one.json", "labels.csv", "-o", "out.txt", code=2)
    assert not list(folder.glob("out*"))


def test_a_vocabulary_that_is_not_shipped_is_refused(folder: Path) -> None:
    path = folder / "zero-one.json"
    path.write_text(path.read_text().replace("chexpert14", "ward7"))
    with pytest.raises(InputError, match="'ward7', which does not come with hilum"):
        map_file(path, folder / "labels.csv", output=folder / "out.csv")
    with pytest.raises(OutputError):
        map_file(path, folder / "labels.csv", output=folder / "none" / "out.csv")
