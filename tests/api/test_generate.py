"""Jobs of `generate_file`: the same bytes whatever the batch, after a stop, and what of two runs may not be mixed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hilum.api import _generate_work
from hilum.api._generate_pictures import named_words
from hilum.api.generate import GenerateJob, generate_file
from hilum.api.texts import label
from hilum.core.errors import HilumError, InputError, OutputError, ResumeError
from hilum.core.vocabulary import State
from hilum.models.report_generator import save_generator
from hilum.models.write_reports import Word, WrittenReport, located, write_reports

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import tiny_classifier as tiny
from tiny_report_generator import talkative

KILLED = """
import sys
from hilum.api.generate import GenerateJob, generate_file
generate_file(GenerateJob(("images.csv",), "model", sys.argv[1] + "/r.csv", evidence=sys.argv[1] + "/e.jsonl",
    html=sys.argv[1] + "/p.html", attention=sys.argv[1] + "/att", chunk_size=2))
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 8 images, one of them bad, and a generator."""
    folder = tmp_path_factory.mktemp("generate-api")
    tiny.write_images(folder, n=8)
    (folder / "images" / "i0-4.png").write_bytes(b"nothing")
    save_generator(folder / "model", talkative(seed=4))
    return folder


def job(shared: Path, out: Path, **changes: Any) -> GenerateJob:
    out.mkdir(exist_ok=True)
    made = GenerateJob(
        (shared / "images.csv",), shared / "model", out / "r.csv", evidence=out / "e.jsonl", html=out / "p.html",
        attention=out / "att", chunk_size=3,
    )  # fmt: skip
    return replace(made, **changes)


def bytes_of(out: Path) -> dict[str, bytes]:
    """All files but those that name the run's own paths."""
    skipped = ("attention.json",)
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in skipped
    }


@pytest.mark.parametrize("way", ["greedy", "sample"])
def test_the_bytes_are_the_same_for_any_batch_size_and_workers(
    shared: Path, tmp_path: Path, way: str
) -> None:
    first = generate_file(job(shared, tmp_path / "a", way=way))
    generate_file(job(shared, tmp_path / "b", way=way, batch_size=3, workers=1))
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert first.written == 7
    assert first.pictures > 7
    assert first.pictures == sum(path.suffix == ".png" for path in (tmp_path / "a" / "att").iterdir())


def test_a_stopped_run_goes_on_to_the_same_bytes(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate_file(job(shared, tmp_path / "whole"))
    real, calls = write_reports, 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(_generate_work, "write_reports", dies)
    with pytest.raises(KeyboardInterrupt):
        generate_file(job(shared, tmp_path / "part"))
    assert not (tmp_path / "part" / "r.csv").exists()
    monkeypatch.undo()
    with pytest.raises(ResumeError, match="seed"):
        generate_file(job(shared, tmp_path / "part", seed=1))
    assert generate_file(job(shared, tmp_path / "part")).resumed == 6
    assert bytes_of(tmp_path / "part") == bytes_of(tmp_path / "whole")


def test_a_killed_run_goes_on_to_the_same_bytes(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate_file(job(shared, tmp_path / "whole", images=(shared / "images.csv",), chunk_size=2))
    (tmp_path / "part").mkdir()
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "part")], cwd=shared)
    done = tmp_path / "part" / "r.csv.hilum-parts" / "00000000.done"
    until = time.monotonic() + 60
    while not done.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.chdir(shared)  # the paths of the run that was killed
    generate_file(
        GenerateJob(
            ("images.csv",), "model", tmp_path / "part" / "r.csv", evidence=tmp_path / "part" / "e.jsonl",
            html=tmp_path / "part" / "p.html", attention=tmp_path / "part" / "att", chunk_size=2,
        )
    )  # fmt: skip
    ours, theirs = bytes_of(tmp_path / "part"), bytes_of(tmp_path / "whole")
    named = {"r.csv.provenance.json"}  # fingerprints of images count their paths, which are relative here
    assert {k: v for k, v in ours.items() if k not in named} == {
        k: v for k, v in theirs.items() if k not in named
    }


def test_labels_are_those_of_the_labeler_and_columns_do_not_collide(shared: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "report"])
        writer.writerow([shared / "images" / "i0-0.png", "a true one"])
    out = tmp_path / "r.parquet"
    summary = generate_file(GenerateJob((table,), shared / "model", out))
    frame = pl.read_parquet(out)
    assert frame.columns[:5] == ["path", "report", "report_hilum", "log_probability", "word_probability"]
    assert any("'report' already" in note for note in summary.notes)
    text = frame["report_hilum"][0]
    codes = label([text], section="all").to_csv_codes()[0]
    assert tuple(frame.row(0)[5:-1]) == codes
    assert frame.schema["Edema"] == pl.Int8
    assert sum(sum(states.values()) for states in summary.findings.values()) == len(codes)


def test_pictures_of_another_run_are_not_mixed_with(shared: Path, tmp_path: Path) -> None:
    one = job(shared, tmp_path / "a", html=None, evidence=None, images=(shared / "images" / "i0-0.png",))
    generate_file(one)
    before = {path.name for path in (tmp_path / "a" / "att").iterdir()}
    generate_file(one)
    other = replace(one, images=(shared / "images" / "i0-1.png",))
    with pytest.raises(OutputError, match="pictures of another run"):
        generate_file(other)
    assert {path.name for path in (tmp_path / "a" / "att").iterdir()} == before
    (tmp_path / "a" / "att" / "mine.txt").write_text("mine", encoding="utf-8")
    generate_file(replace(other, fresh=True))
    names = {path.name for path in (tmp_path / "a" / "att").iterdir()}
    assert "mine.txt" in names
    assert all("i0-1" in name for name in names - {"mine.txt", "attention.json"})


def test_all_words_can_be_drawn(shared: Path, tmp_path: Path) -> None:
    one = job(shared, tmp_path / "a", images=(shared / "images" / "i0-0.png",), attention_words="all")
    summary = generate_file(one)
    with (tmp_path / "a" / "r.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert summary.pictures == len(row["report"].replace(".", "").split())


def test_nothing_but_bad_images_is_an_error(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The image could not be used"):
        generate_file(job(shared, tmp_path / "a", images=(shared / "images" / "i0-4.png",)))
    assert not (tmp_path / "a" / "r.csv").exists()
    assert (tmp_path / "a" / "r.csv.failed.csv").exists()


@pytest.mark.parametrize(
    "changes", [{"repeats": "x"}, {"way": "x"}, {"labeler": "x"}, {"attention_words": "x"}]
)
def test_names_that_are_not_there_are_told(shared: Path, tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(HilumError, match="'x'"):
        generate_file(job(shared, tmp_path / "a", **changes))


def test_words_under_negation_are_named_with_their_state() -> None:
    sentences = (("no", "pleural", "effusion", "."), ("large", "heart"))
    text, spans = located(sentences)
    words = tuple(
        Word(word, *span, np.zeros((2, 2), np.float32), 1.0)
        for word, span in zip((w for s in sentences for w in s), spans, strict=True)
    )
    labels = label(text, section="all")
    found = named_words(WrittenReport(text, sentences, words, 0.0, 1.0, True), labels)
    states = {one.word.text: one.state for one in found}
    assert states["pleural"] is states["effusion"] is State.NEGATIVE
    assert states["heart"] is State.POSITIVE
    assert "no" not in states
    everything = named_words(WrittenReport(text, sentences, words, 0.0, 1.0, True), labels, everything=True)
    assert len(everything) == len(words)
    assert everything[0].state is State.BLANK
