"""`hilum label` and `hilum explain` with a model: invented weights, in a process as a user has it."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
sys.path.insert(0, str(Path(__file__).parent))
from program import hilum, told
from tiny_report_encoder import REPORTS, tiny_folder
from typer.testing import CliRunner

from hilum.api import LabelJob, label_file
from hilum.cli.main import app
from hilum.core.errors import InputError, ResumeError, UnknownNameError
from hilum.core.vocabulary import CHEXPERT14
from hilum.labelers import get_labeler
from hilum.labelers._calibration import Calibration, save_calibration
from hilum.models.encoder_spec import chexbert_spec, visualchexbert_spec

SPEC = chexbert_spec()
LONG = "There is no pleural effusion. Mild edema, possible pneumonia. The heart is mildly enlarged. " * 4


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("weights"), SPEC)


@pytest.fixture(scope="module")
def image_weights(tmp_path_factory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("image"), visualchexbert_spec())


@pytest.fixture
def folder(tmp_path):
    with (tmp_path / "in.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "Report Impression"])
        writer.writerows([f"r{i}", text] for i, text in enumerate([*REPORTS, LONG]))
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def job(folder: Path, weights: Path | None, name: str = "out.csv", **more) -> LabelJob:
    options = {"weights": weights, **more.pop("options", {})}
    return LabelJob(folder / "in.csv", folder / name, **{"labeler": "chexbert", "options": options, **more})


def test_the_command_labels_as_the_labeler_does_and_says_what_it_did(folder, weights):
    done = hilum(
        "label", "in.csv", "-o", "out.csv", "--labeler", "chexbert", "--weights", weights, "--probabilities",
        "--device", "cpu", "--batch-size", 2, cwd=folder,
    )  # fmt: skip
    shown = done.stderr.decode()
    assert done.returncode == 0, shown
    labeled = rows(folder / "out.csv")
    names = CHEXPERT14.names
    assert list(labeled[0]) == [
        "id",
        "Report Impression",
        *names,
        *(f"{n} probability" for n in names),
        "status",
    ]
    texts = [*REPORTS, LONG]
    direct = hilum_labels(texts, weights)
    codes = {0: "", 1: "1", 2: "0", 3: "-1"}
    for row, labels in zip(labeled, direct, strict=True):
        assert [row[n] for n in names] == [codes[s] for s in labels.states]
        if labels.probabilities is None:
            assert {row[f"{n} probability"] for n in names} == {""}
        else:
            found = [float(row[f"{n} probability"]) for n in names]
            assert found == pytest.approx(labels.probabilities, abs=2e-6)
    assert [row["status"] for row in labeled] == ["labeled"] * 4 + ["empty"] + ["labeled"] * 2
    assert "1 report longer than the model reads at once: read in overlapping windows" in shown
    assert "labeler chexbert" in shown
    record = json.loads((folder / "out.csv.provenance.json").read_text())
    assert len(record["labeler"]["weights_sha256"]) == 64
    assert record["labeler"]["windows_by"] == "precedence, max"
    assert record["section"] == "impression"
    assert record["every_text_is_that_section"] is True
    assert record["counted"] == {"read in windows": 1}


def hilum_labels(texts, weights, **options):
    import hilum

    return hilum.label(texts, labeler="chexbert", weights=weights, **options)


def test_explain_shows_the_sentences_behind_each_label(folder, weights):
    text = "Mild edema, possible pneumonia. The heart is mildly enlarged. No effusion."
    page = folder / "p.html"
    options = ["--labeler", "chexbert", "--weights", str(weights), "--probabilities", "--html", str(page)]
    done = CliRunner().invoke(app, ["explain", text, *options])
    assert done.exit_code == 0, done.output
    assert "chexbert/" in done.stdout
    assert "Probability of positive: No Finding" in done.stdout
    assert "<dt>labeler</dt><dd>chexbert</dd>" in page.read_text()


def test_any_batch_size_and_number_of_workers_give_the_same_labels(folder, weights):
    with (folder / "in.csv").open("a", newline="") as file:
        words = (
            "No edema",
            "large effusion",
            "the heart is normal",
            "possible pneumonia",
            "mild opacity",
            "clear",
        )
        rng = np.random.default_rng(1)
        csv.writer(file).writerows(
            [f"x{i}", ". ".join(rng.permutation(words)[: i % 6 + 1])] for i in range(40)
        )
    outputs = []
    for number, (workers, batch) in enumerate(((1, 1), (1, 7), (2, 32))):
        made = job(folder, weights, f"{number}.csv", workers=workers, chunk_size=16,
                   options={"batch_size": batch, "threads": 1} if workers == 1 else {"batch_size": batch})  # fmt: skip
        label_file(made)
        outputs.append((folder / f"{number}.csv").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]
    assert label_file(job(folder, weights, "n.csv", workers=None)).rows == 47


def test_evidence_is_written_when_asked_and_changes_no_label(folder, weights):
    label_file(job(folder, weights, "plain.csv"))
    label_file(job(folder, weights, evidence=folder / "e.jsonl", html=folder / "p.html", html_limit=2))
    assert (folder / "out.csv").read_bytes() == (folder / "plain.csv").read_bytes()
    lines = [json.loads(line) for line in (folder / "e.jsonl").read_text().splitlines()]
    texts = [*REPORTS, LONG]
    mentions = [
        (line["row"] - 1, e) for line in lines for f in line["findings"].values() for e in f["evidence"]
    ]
    assert {e["entry"] for _, e in mentions} <= {"chexbert/occlusion", "chexbert/alone"}
    assert len(mentions) > 10
    for row, e in mentions:
        assert texts[row][slice(*e["span"])] == e["words"]
    for line in lines:
        assert all(f["evidence"] for f in line["findings"].values())


def test_doubtful_labels_are_empty_counted_and_named(folder, weights):
    plain = rows_of(folder, weights)
    summary = label_file(job(folder, weights, "a.csv", options={"abstain_below": 0.9}))
    some = rows(folder / "a.csv")
    assert list(some[0])[-2:] == ["abstained", "status"]
    kept = sum(counts.get("abstained", 0) for counts in summary.findings.values())
    named = [row["abstained"].split("; ") for row in some if row["abstained"]]
    assert kept == sum(map(len, named)) > 0
    for before, after in zip(plain, some, strict=True):
        for name in CHEXPERT14.names:
            assert after[name] == ("" if name in after["abstained"].split("; ") else before[name])
    for counts in summary.findings.values():
        assert sum(counts.values()) == 7
    assert any("too doubtful to give" in note for note in summary.notes)


def rows_of(folder, weights, **more):
    label_file(job(folder, weights, "rows.csv", **more))
    return rows(folder / "rows.csv")


def test_windows_read_what_cutting_loses_and_both_are_counted(folder, weights):
    whole = label_file(job(folder, weights, "w.csv"))
    cut = label_file(job(folder, weights, "c.csv", options={"long": "cut"}))
    assert any(note.startswith("1 report longer") and "windows" in note for note in whole.notes)
    assert any("1 report longer than the model reads and cut there" in note for note in cut.notes)
    assert whole.stamp["long_reports"] == "windows"
    assert cut.stamp["long_reports"] == "cut at 64"
    assert rows(folder / "w.csv")[:6] == rows(folder / "c.csv")[:6]


def test_a_calibration_changes_probabilities_and_no_label(folder, weights):
    built = get_labeler("chexbert", weights=weights)
    path = folder / "c.json"
    save_calibration(path, Calibration(built.stamp["weights_sha256"], dict.fromkeys(SPEC.findings, 4.0)))
    plain = rows_of(folder, weights, probabilities=True)
    warm = rows_of(folder, weights, probabilities=True, options={"calibration": path}, fresh=True)
    assert [[row[n] for n in CHEXPERT14.names] for row in plain] == [
        [row[n] for n in CHEXPERT14.names] for row in warm
    ]
    assert plain != warm
    save_calibration(path, Calibration("b" * 64, dict.fromkeys(SPEC.findings, 4.0)))
    with pytest.raises(InputError, match="was fitted for weights"):
        get_labeler("chexbert", weights=weights, calibration=path)


def test_image_labels_by_the_mappings_of_the_weights(folder, tmp_path):
    spec = replace(visualchexbert_spec(), thresholds=dict.fromkeys(visualchexbert_spec().findings, 0.0))
    made = tiny_folder(tmp_path / "v", spec)
    summary = label_file(job(folder, made, labeler="visualchexbert"))
    labeled = [row for row in rows(folder / "out.csv") if row["status"] == "labeled"]
    assert {row[name] for row in labeled for name in CHEXPERT14.names} == {"1"}
    assert summary.stamp["mapping"] == "thresholds"
    half = rows_of(folder, made, labeler="visualchexbert", options={"mapping": "half"})
    assert {row[name] for row in half if row["status"] == "labeled" for name in CHEXPERT14.names} == {
        "1",
        "0",
    }


def test_a_column_named_for_the_impression_is_read_whole(tmp_path, weights):
    text = "FINDINGS: Mild edema. IMPRESSION: No effusion."
    outputs, told = [], []
    for number, (column, section) in enumerate(
        (("Report Impression", None), ("report", "all"), ("report", None))
    ):
        (tmp_path / "in.csv").write_text(f'{column}\n"{text}"\n')
        done = label_file(job(tmp_path, weights, f"{number}.csv", section=section, probabilities=True))
        told.append("the model was trained on the section 'impression', and 'all' is read" in done.notes)
        outputs.append(list(rows(tmp_path / f"{number}.csv")[0].values())[1:])
    assert told == [False, True, False]
    whole, bodies, impression = outputs
    assert whole == list(probabilities(text, weights))
    assert bodies == list(probabilities("Mild edema. No effusion.", weights))
    assert impression == list(probabilities("No effusion.", weights))


def probabilities(text, weights):
    """The row that this very text, which has no headings any more, gives."""
    from hilum.labelers import ReportSpans

    codes = {0: "", 1: "1", 2: "0", 3: "-1"}
    [labels] = get_labeler("chexbert", weights=weights).label_batch([ReportSpans(text)])
    return [*(codes[s] for s in labels.states), *(str(round(p, 6)) for p in labels.probabilities), "labeled"]


def test_other_weights_do_not_go_on_with_a_run(folder, weights, tmp_path):
    others = tiny_folder(tmp_path / "others", SPEC, seed=9)
    made = job(folder, weights)

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_file(made, progress=stop)
    with pytest.raises(ResumeError, match="weights_sha256"):
        label_file(job(folder, others))
    label_file(job(folder, weights, "never-stopped.csv"))
    label_file(made)
    assert (folder / "out.csv").read_bytes() == (folder / "never-stopped.csv").read_bytes()


def test_mistakes_are_told_before_anything_is_done(folder, weights, image_weights):
    def refused(match: str, weights=weights, error=InputError, **more) -> None:
        with pytest.raises(error, match=match):
            label_file(job(folder, weights, **more))
        assert sorted(p.name for p in folder.iterdir()) == ["in.csv"]

    refused("needs weights.*--weights DIR.*hilum convert", weights=None)
    refused("kind 'visualchexbert', and the labeler 'chexbert'", weights=image_weights)
    refused("There is no folder", weights=folder / "none")
    refused("does not take --vocabulary", vocabulary="nih14")
    refused("does not take --weights", labeler="rules")
    refused("has no probabilities", labeler="rules", weights=None, probabilities=True)
    refused("Did you mean 'windows'", error=UnknownNameError, options={"long": "window"})
    refused("device", options={"device": "gpu"})
    refused("precision", error=(InputError, UnknownNameError), options={"precision": "float8"})
    done = hilum("label", "in.csv", "--labeler", "chexbert", cwd=folder)
    assert "--weights DIR" in told(done)
    done = hilum("label", "in.csv", "--labeler", "mini", cwd=folder)
    assert done.returncode == 0 or "No weights come with the package yet" in told(done)
