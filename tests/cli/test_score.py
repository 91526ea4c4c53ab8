from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from hilum.api.score import DEFAULT_METRICS, ScoreJob, score, score_files
from hilum.cli.score import score as command
from hilum.core.errors import InputError, OutputError, UnknownNameError

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(command)

ROWS = {
    "s1": ("No pleural effusion. Heart size is normal.", "No pleural effusion."),
    "s2": ("Mild pulmonary edema. Possible pneumonia.", "Mild pulmonary edema. Pneumonia."),
    "s3": ("Small right pneumothorax.", "No pneumothorax."),
    "s4": ("Lungs are clear.", ""),
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    made = []
    for place, name in enumerate(("references", "candidates")):
        path = tmp_path / f"{name}.csv"
        rows = list(ROWS.items())[:: 1 if place == 0 else -1]
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [("study_id", "report"), *((key, texts[place]) for key, texts in rows)]
            )
        made.append(path)
    return made[0], made[1]


def hilum_score(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "100"})


def run(files: tuple[Path, Path], *arguments: object) -> Result:
    return hilum_score("--references", files[0], "--candidates", files[1], *arguments)


def lines(result: Result) -> dict[str, list[str]]:
    return {cells[0]: cells for line in result.stdout.splitlines() if len(cells := line.split()) > 4}


def test_every_score_has_direction_range_preset_and_version(files: tuple[Path, Path]) -> None:
    result = run(files)
    assert result.exit_code == 0, result.output
    shown = lines(result)
    references, candidates = zip(*ROWS.values(), strict=True)
    for one in score(references, candidates):
        if not one.finding:  # type: ignore[attr-defined]
            assert shown[one.name][1] == ("-" if math.isnan(one.value) else f"{one.value:.4f}")
            expected = [
                "higher",
                f"{one.lowest:g}",
                "to",
                f"{one.highest:g}",
                *one.preset.split(),
                one.version,
            ]
            assert shown[one.name][2:] == expected
    assert "Preset f1chexbert: As the f1chexbert package" in result.stderr
    assert "4 pairs, joined by key" in result.stderr
    assert "1 candidates are empty; they are scored as they are" in result.stderr
    assert "Pneumothorax" in result.stdout


def test_presets_change_clinical_scores_and_are_named(files: tuple[Path, Path]) -> None:
    one, zero = (run(files, "--metrics", "clinical", "--preset", name) for name in ("f1chexbert", "r2gen"))
    assert lines(one)["clinical_f1_micro_14"][1] > lines(zero)["clinical_f1_micro_14"][1]
    assert "r2gen, rules" in zero.stdout
    assert "Preset r2gen: As the clinical efficacy of R2Gen" in zero.stderr


def test_values_per_sample_and_json(files: tuple[Path, Path], tmp_path: Path) -> None:
    samples, scores = tmp_path / "samples.csv", tmp_path / "scores.json"
    result = run(files, "--metrics", "bleu,clinical", "--per-sample", samples, "--json", scores)
    assert result.exit_code == 0, result.output
    with samples.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == list(ROWS)
    assert {"bleu_1", "bleu_4", "clinical_f1_example_14"} <= set(rows[0])
    data = json.loads(scores.read_text(encoding="utf-8"))
    assert data["rows"] == 4
    assert data["joined_by"] == "key"
    assert data["made_by"]["clinical"]["labeler"] == "rules"
    keys = {"name", "value", "direction", "lowest", "highest", "preset", "version"}
    assert all(keys <= set(one) for one in data["scores"])
    mean = sum(float(row["clinical_f1_example_14"]) for row in rows) / 4
    [example] = [one for one in data["scores"] if one["name"] == "clinical_f1_example_14"]
    assert example["value"] == pytest.approx(mean)
    before = scores.read_bytes(), samples.read_bytes()
    run(files, "--metrics", "bleu,clinical", "--per-sample", samples, "--json", scores)
    assert before == (scores.read_bytes(), samples.read_bytes())
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "candidates.csv",
        "references.csv",
        "samples.csv",
        "scores.json",
    ]


def test_what_is_not_defined_is_a_dash_with_a_note(tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    one.write_text('{"id": 1, "reference": "No edema.", "prediction": "No edema."}\n', encoding="utf-8")
    result = hilum_score("--references", one, "--candidates", one, "--json", tmp_path / "o.json")
    assert result.exit_code == 0, result.output
    assert lines(result)["cider"][1] == "-"
    assert "cider, cider_d: not defined: words are weighed by" in result.stderr
    data = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))
    assert [s["value"] for s in data["scores"] if s["name"] == "cider"] == [None]


def test_several_references_leave_clinical_scores_out_unless_asked_for(tmp_path: Path) -> None:
    references, candidates = tmp_path / "r.json", tmp_path / "c.json"
    references.write_text('{"a": ["No edema.", "Clear."], "b": ["Effusion."]}', encoding="utf-8")
    candidates.write_text('{"b": ["Small effusion."], "a": "No edema."}', encoding="utf-8")
    result = score_files(ScoreJob(references, candidates))
    assert result.metrics == tuple(name for name in DEFAULT_METRICS if name != "clinical")
    assert any("clinical scores were left out" in note for note in result.notes)
    with pytest.raises(InputError, match="1 of 2 samples have another number"):
        score_files(ScoreJob(references, candidates, metrics=("clinical",)))


def test_annotations_are_matched_by_the_keys_of_the_rows(files: tuple[Path, Path], tmp_path: Path) -> None:
    present = {
        "entities": {"1": {"tokens": "edema", "label": "Observation::definitely present", "relations": []}}
    }
    sides = []
    for name, keys in (("r", ROWS), ("c", list(ROWS)[:2])):
        file = tmp_path / f"{name}.json"
        file.write_text(
            json.dumps({key: present if key in keys else {"entities": {}} for key in ROWS}), encoding="utf-8"
        )
        sides += [f"--annotations-{'references' if name == 'r' else 'candidates'}", file]
    result = run(files, "--metrics", "entities", *sides)
    assert result.exit_code == 0, result.output
    assert lines(result)["entities_complete"][1] == "0.5000"
    assert "Preset case-ignored" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--metrics", "blue"], UnknownNameError, "Did you mean 'bleu'"),
        (["--metrics", ","], InputError, "No metric was named"),
        (["--metrics", "clinical", "--preset", "chexbert"], UnknownNameError, "preset 'chexbert'"),
        (
            ["--metrics", "bleu", "--preset", "r2gen"],
            InputError,
            "None of the metrics bleu knows the option 'preset'",
        ),
        (["--metrics", "bleu", "--tokens", "words"], UnknownNameError, "tokeniser 'words'"),
        (["--metrics", "bertscore"], InputError, "--model PATH"),
        (["--metrics", "entities"], InputError, "--annotations-references"),
        (["--align", "rows"], InputError, "allowed: auto, key, position"),
        (["--column", "txt"], InputError, "no column 'txt'"),
        (["--json", "nowhere/x.json"], OutputError, "no folder for it"),
    ],
)
def test_wrong_options_are_told(
    files: tuple[Path, Path], arguments: list[str], error: Any, words: str
) -> None:
    result = run(files, *arguments)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)


def test_files_that_are_one_and_the_same(files: tuple[Path, Path]) -> None:
    result = run((files[0], files[0]))
    assert isinstance(result.exception, InputError)
    assert "--candidate-column" in str(result.exception)
    result = run(files, "--json", files[0])
    assert isinstance(result.exception, OutputError)
    assert "is an input" in str(result.exception)


def test_progress_tells_each_metric(files: tuple[Path, Path]) -> None:
    seen: dict[str, tuple[int, int]] = {}
    score_files(ScoreJob(*files), progress=lambda name, done, total: seen.update({name: (done, total)}))
    assert seen == dict.fromkeys(DEFAULT_METRICS, (4, 4))
