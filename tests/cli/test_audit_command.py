from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from program import hilum, told

KINDS = (
    "FINDINGS: There is pulmonary edema. IMPRESSION: Edema.",
    "FINDINGS: No pleural effusion or pneumothorax. IMPRESSION: Normal chest.",
    "FINDINGS: Possible left lower lobe pneumonia.",
    "FINDINGS: Displaced rib fracture. Small pleural effusion.",
    "HISTORY: Cough.",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["study_id", "report"])
        writer.writerows([f"s{i}", f"{KINDS[i * 7 % 5]} Study {i}."] for i in range(120))
    return tmp_path


def fill_in(folder: Path, name: str = "answers.json", **changes: object) -> None:
    """Every report read as having an effusion and no word of anything else."""
    sample = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    state = dict.fromkeys(sample["findings"], "blank") | {"Pleural Effusion": "positive"}
    record = {
        "format": "hilum audit answers 1", "sample": sample["sample"], "reader": "r",
        "answers": {str(one["number"]): state for one in sample["drawn"]}, **changes,
    }  # fmt: skip
    (folder / name).write_text(json.dumps(record), encoding="utf-8")


def test_reports_alone_are_labeled_drawn_and_audited(folder: Path) -> None:
    done = hilum("audit", "in.csv", "--sample", "40", "-o", "a", cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    assert b"40 reports drawn, in random order, into a/form.html" in done.stdout
    assert "24 of 120 rows have no text in the section 'both'" in done.stderr.decode()
    form = (folder / "a" / "form.html").read_text(encoding="utf-8")
    assert form.count("<article") == 40
    assert "Cough" not in form
    fill_in(folder / "a")
    done = hilum("audit", "in.csv", "--answers", "a/answers.json", "-o", "a", cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    out = done.stdout.decode()
    assert "All findings together, by r: F1" in out
    assert "all together (micro)" in out
    tables = json.loads((folder / "a" / "results" / "tables.json").read_text(encoding="utf-8"))["tables"]
    rows = {row["finding"]: row for row in tables["findings"]["rows"]}
    assert rows["Pleural Effusion"]["precision"]["value"] == 1
    assert rows["Pleural Effusion"]["recall"]["value"] == pytest.approx(24 / 96, abs=0.05)
    assert rows["Edema"]["precision"]["value"] == 0


def test_a_label_file_is_audited_as_it_is(folder: Path) -> None:
    hilum("label", "in.csv", "-o", "labels.csv", "--section", "impression", cwd=folder)
    done = hilum("audit", "labels.csv", "--sample", "20", cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    sample = json.loads((folder / "labels.audit" / "sample.json").read_text(encoding="utf-8"))
    assert sample["options"]["labels"] == "in the file"
    assert sample["options"]["section"] == "impression"  # from the record beside the labels
    assert sum(stratum["reports"] for stratum in sample["strata"]) == 48
    form = (folder / "labels.audit" / "form.html").read_text(encoding="utf-8")
    assert "Normal chest" in form
    assert "No pleural effusion" not in form


def test_the_same_command_writes_the_same_bytes(folder: Path) -> None:
    for name in ("a", "b"):
        assert hilum("audit", "in.csv", "--sample", "30", "-o", name, cwd=folder).returncode == 0
    for name in ("form.html", "sample.json"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()


def test_a_form_in_use_is_not_written_over(folder: Path) -> None:
    hilum("audit", "in.csv", "--sample", "30", "-o", "a", cwd=folder)
    message = told(hilum("audit", "in.csv", "--sample", "40", "-o", "a", cwd=folder))
    assert "answers to its form may be in use" in message
    assert hilum("audit", "in.csv", "--sample", "40", "-o", "a", "--force", cwd=folder).returncode == 0


def test_two_steps_are_told_apart(folder: Path) -> None:
    assert "done in two steps" in told(hilum("audit", "in.csv", cwd=folder))
    message = told(hilum("audit", "in.csv", "--answers", "x.json", "-o", "none", cwd=folder))
    assert "There is no none/sample.json. Next step: hilum audit FILE --sample N" in message


def test_answers_to_another_form_and_another_file_are_refused(folder: Path) -> None:
    hilum("audit", "in.csv", "--sample", "30", "-o", "a", cwd=folder)
    fill_in(folder / "a", sample="0" * 16)
    message = told(hilum("audit", "in.csv", "--answers", "a/answers.json", "-o", "a", cwd=folder))
    assert "answers to the form '0000000000000000'" in message
    fill_in(folder / "a")
    text = (folder / "in.csv").read_text(encoding="utf-8")
    (folder / "in.csv").write_text(text.replace("rib fracture", "skull fracture"), encoding="utf-8")
    message = told(hilum("audit", "in.csv", "--answers", "a/answers.json", "-o", "a", cwd=folder))
    assert "not those that the sample was drawn from" in message


def test_a_file_without_texts_and_standard_input_are_refused(folder: Path) -> None:
    (folder / "l.csv").write_text("id,Edema,Fracture\na,1,0\n", encoding="utf-8")
    assert "Columns there are: 'id', 'Edema', 'Fracture'" in told(
        hilum("audit", "l.csv", "--sample", "20", cwd=folder)
    )
    assert "cannot be standard input" in told(hilum("audit", "-", "--sample", "20", cwd=folder))
    (folder / "e.csv").write_text("id,report\na,\n", encoding="utf-8")
    assert "none of its 1 rows has a text" in told(hilum("audit", "e.csv", "--sample", "20", cwd=folder))


def test_two_readers(folder: Path) -> None:
    hilum("audit", "in.csv", "--sample", "30", "-o", "a", cwd=folder)
    fill_in(folder / "a")
    fill_in(folder / "a", "second.json")
    done = hilum(
        "audit", "in.csv", "--answers", "a/answers.json", "--answers", "a/second.json", "-o", "a", cwd=folder
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "r (1) and r (2)" in done.stdout.decode()
