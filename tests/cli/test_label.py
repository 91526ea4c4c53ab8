from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from program import environment, hilum, told

from hilum.api.job import _blank_notes
from hilum.cli._label_view import _short

REPORTS = """id,report,age
a,"FINDINGS: Small left pleural effusion.
IMPRESSION: No pneumothorax.",61
b,,
c,"HISTORY: Cough.",40
d,12.5,33
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in.csv").write_text(REPORTS)
    return tmp_path


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_label_keeps_the_columns_and_adds_findings_and_status(folder):
    done = hilum("label", "in.csv", "-o", "out.csv", "--evidence", "e.jsonl", "--html", "p.html", cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    labeled = rows((folder / "out.csv").read_bytes())
    original = rows(REPORTS.encode())
    assert [{key: row[key] for key in original[0]} for row in labeled] == original
    assert labeled[0]["Pleural Effusion"] == "1"
    assert labeled[0]["Pneumothorax"] == "0"
    assert [row["status"] for row in labeled] == ["labeled", "empty", "no such section", "unreadable"]
    assert list(labeled[0])[3:5] == ["No Finding", "Enlarged Cardiomediastinum"]
    assert all(row["Edema"] == "" for row in labeled)
    shown = done.stderr.decode()
    assert "1 labeled, 1 empty, 1 no such section, 1 unreadable" in shown
    assert "row 4: number instead of text: 12.5" in shown
    for name in ("out.csv", "out.csv.provenance.json", "e.jsonl", "p.html"):
        assert name in shown
        assert (folder / name).stat().st_size > 0
    assert sorted(p.name for p in folder.iterdir()) == [
        "e.jsonl", "in.csv", "out.csv", "out.csv.provenance.json", "p.html",
    ]  # fmt: skip


def test_the_stamp_is_shown_with_its_checksums_cut_and_nothing_else(folder):
    done = hilum("label", "in.csv", "-o", "out.csv", cwd=folder)
    made = next(line for line in done.stderr.decode().splitlines() if line.startswith("Made by"))
    parts = [part.split(" ", 1) for part in made.removeprefix("Made by: ").split(" · ")]
    record = json.loads((folder / "out.csv.provenance.json").read_text())["labeler"]
    assert any(key.endswith("sha256") for key, _ in parts)
    for key, value in parts:
        assert value == (record[key][:16] if key.endswith("sha256") else record[key])
    address = _short("endpoint http://127.0.0.1:8000/v1, as the server has it, sha256 " + "0a" * 32)
    assert address == "endpoint http://127.0.0.1:8000/v1, as the server has it, sha256 " + "0a" * 8


def test_labels_that_are_all_blank_are_noted():
    blank, said = {"positive": 0, "blank": 12}, {"abstained": 1, "blank": 11}
    assert _blank_notes(12, {"Edema": blank}) == [
        "every label of the 12 labeled reports is blank. Next step: check the column, the section and the model"
    ]
    assert _blank_notes(9, {"Edema": blank}) == []
    assert _blank_notes(12, {"Edema": blank, "Fracture": said}) == []


def test_the_evidence_quotes_the_words_of_the_report(folder):
    hilum("label", "in.csv", "-o", "out.csv", "--evidence", "e.jsonl", cwd=folder)
    lines = [json.loads(line) for line in (folder / "e.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == [1, 2, 3, 4]
    assert [line["id"] for line in lines] == ["a", "b", "c", "d"]
    assert lines[3]["problem"] == "number instead of text: 12.5"
    text = rows(REPORTS.encode())[0]["report"]
    mention = lines[0]["findings"]["Pneumothorax"]["evidence"][0]
    assert lines[0]["findings"]["Pneumothorax"]["label"] == 0
    assert text[slice(*mention["span"])] == mention["words"] == "pneumothorax"
    assert text[slice(*mention["cue_span"])] == mention["cue_words"] == "No"
    assert mention["section"] == "impression"


def test_standard_input_to_standard_output(folder):
    done = hilum("label", "-", cwd=folder, stdin=REPORTS.encode())
    assert rows(done.stdout)[0]["status"] == "labeled"
    assert "cannot resume" in done.stderr.decode()
    hilum("label", "in.csv", "-o", "out.csv", cwd=folder)
    assert done.stdout == (folder / "out.csv").read_bytes()


def test_standard_input_to_a_file_leaves_only_its_outputs(folder):
    done = hilum("label", "-", "-o", "o.jsonl", cwd=folder, stdin=REPORTS.encode())
    assert done.returncode == 0, done.stderr.decode()
    assert len((folder / "o.jsonl").read_text().splitlines()) == 4
    assert sorted(p.name for p in folder.iterdir()) == ["in.csv", "o.jsonl", "o.jsonl.provenance.json"]


def test_without_o_the_output_is_named_after_the_input(folder):
    assert hilum("label", "in.csv", cwd=folder).returncode == 0
    assert (folder / "in.labels.csv").exists()


def test_a_capped_page_says_so_on_the_page_and_in_the_terminal(folder):
    done = hilum("label", "in.csv", "-o", "o.csv", "--html", "p.html", "--html-limit", 2, cwd=folder)
    assert "the first 2 of 4 reports" in done.stderr.decode()
    assert "first 2 of 4 reports" in (folder / "p.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "There is no file or folder none.csv"),
        (["in.csv", "--column", "reprot"], "Did you mean 'report'? Columns there are: 'id', 'report', 'age'"),
        (["in.csv", "--vocabulary", "chexpert15"], "Did you mean 'chexpert14'?"),
        (["in.csv", "--convention", "hous"], "Did you mean 'house'?"),
        (["in.csv", "--section", "impresion"], "Did you mean 'impression'?"),
        (["in.csv", "--labeler", "rule"], "Did you mean 'rules'?"),
        (["in.csv", "-o", "out.xlsx"], "'.xlsx' is not one of .csv, .tsv, .parquet, .jsonl"),
        (["in.csv", "-o", "in.csv"], "in.csv is both the input and the output"),
        (["in.csv", "-o", "a.csv", "--html", "a.csv"], "a.csv is both the output and the page"),
        (["in.csv", "-o", "a.csv", "--evidence", "e.csv"], "name a file ending in .jsonl"),
        (["in.csv", "-o", "none/a.csv"], "the folder none does not exist"),
        (["in.csv", "-o", "/dev/full"], "No space left on device"),
        (["in.csv", "-o", "a.csv", "--html", "none/p.html"], "the folder none does not exist"),
    ],
)
def test_errors_say_what_is_wrong_and_leave_nothing_behind(folder, arguments, message):
    assert message in told(hilum("label", *arguments, cwd=folder))
    assert [p.name for p in folder.iterdir()] == ["in.csv"]
    assert (folder / "in.csv").read_text() == REPORTS


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(folder):
    folder.chmod(0o500)
    try:
        assert "not writable" in told(hilum("label", "in.csv", "-o", "out.csv", cwd=folder))
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="POSIX limits")
@pytest.mark.parametrize("limit", [10_000, 30_000], ids=["parts", "output"])
def test_no_room_while_writing_and_then_going_on(folder, limit):
    (folder / "in.csv").write_text("report\n" + "No edema.\n" * 3000)
    full = hilum("label", "in.csv", "-o", "o.csv", "--workers", 1, cwd=folder, limit=limit)
    assert "run the same command again" in told(full).lower()
    assert len(list(folder.glob("*.hilum-parts/*.done"))) == (0 if limit == 10_000 else 6)
    assert not (folder / "o.csv").exists()
    assert hilum("label", "in.csv", "-o", "o.csv", cwd=folder).returncode == 0
    assert hilum("label", "in.csv", "-o", "whole.csv", cwd=folder).returncode == 0
    assert (folder / "o.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    assert not list(folder.glob("*.hilum-parts"))


def start(folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "hilum.cli.main", "label", *map(str, arguments)],
        cwd=folder,
        env=environment(HILUM_FAKE_SECONDS="0.2"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_a_chunk(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while not list(folder.glob("*.hilum-parts/*.done")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def long_job(folder):
    (folder / "in.csv").write_text("report\n" + "No edema.\n" * 10_000)
    return ("in.csv", "-o", "o.csv", "--labeler", "fake", "--workers", 2)


def test_an_interrupt_says_how_to_go_on_and_a_changed_input_or_option_is_refused(folder, long_job):
    process = start(folder, *long_job)
    wait_for_a_chunk(folder)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 130
    assert message.decode().strip() == "stopped; run the same command again to go on"
    assert not (folder / "o.csv").exists()

    other = told(hilum("label", *long_job, "--section", "all", cwd=folder))
    assert "section was 'both' and is now 'all'" in other
    with (folder / "in.csv").open("a") as file:
        file.write("Edema.\n")
    changed = told(hilum("label", *long_job, cwd=folder))
    assert "input was 'sha256:" in changed
    assert "--fresh" in changed
    assert hilum("label", *long_job, "--fresh", cwd=folder).returncode == 0
    assert len((folder / "o.csv").read_bytes().splitlines()) == 10_002


def test_two_runs_on_one_output_are_refused(folder, long_job):
    process = start(folder, *long_job)
    wait_for_a_chunk(folder)
    assert f"in use by another hilum (process {process.pid})" in told(hilum("label", *long_job, cwd=folder))
    process.kill()
    process.communicate(timeout=30)


def test_a_reader_that_goes_away_is_no_error(folder):
    (folder / "in.csv").write_text("report\n" + "No edema.\n" * 5000)
    process = start(folder, "in.csv", "-o", "-", "--labeler", "fake", "--workers", 1)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    message = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 1
    assert "Traceback" not in message
    assert "Broken" not in message
