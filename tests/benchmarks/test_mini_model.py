"""What the mini model is trained on and measured by, without training one."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from hilum.core.vocabulary import CHEXPERT14, NIH14, State, state_from_csv
from hilum.datasets._speech.generated import (
    Claim,
    GeneratedReport,
    ReportOptions,
    generate_reports,
    labeled_text,
    states_of,
)
from hilum.labelers import ReportSpans, get_labeler
from hilum.labelers.rules import build
from hilum.text.sections import select_sections

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import _mini_texts
import mini_model


def report(*claims: Claim) -> GeneratedReport:
    return GeneratedReport("x", "", states_of(claims, NIH14), claims)


def test_a_hedge_counts_as_present_by_the_policy_of_the_lexicon() -> None:
    rules = build(vocabulary="nih14")

    def yes(*claims: Claim) -> set[str]:
        answers = mini_model.presence(report(*claims), rules)
        return {name for name, answer in zip(NIH14.names, answers, strict=True) if answer}

    hedged = State.UNCERTAIN
    assert yes() == {"No Finding"}
    assert yes(Claim("Edema", State.POSITIVE, "")) == {"Edema"}
    assert yes(Claim("Atelectasis", hedged, "versus"), Claim("Pneumonia", hedged, "versus")) == {
        "Atelectasis"
    }
    assert yes(Claim("Mass", hedged, "probable"), Claim("Nodule", hedged, "possible")) == {"Mass"}
    assert yes(Claim("Cardiomegaly", hedged, "borderline")) == {"Cardiomegaly"}
    assert yes(Claim("Hernia", State.NEGATIVE, "")) == {"No Finding"}


def test_presence_is_what_the_rules_answer_for_nearly_all_reports() -> None:
    rules = build(vocabulary="nih14")
    reports = list(generate_reports(300, seed=8, vocabulary=NIH14, options=ReportOptions(noise=0)))
    wanted = np.array([mini_model.presence(r, rules) for r in reports])
    said = np.array([rules.yes_or_no(x) for x in rules.label_batch([labeled_text(r) for r in reports])])
    assert (wanted == said).mean() > 0.995


def test_generated_reports_and_labels_go_into_one_file(tmp_path: Path) -> None:
    for vocabulary in (CHEXPERT14, NIH14):
        path = tmp_path / "new" / f"{vocabulary.name}.csv"
        mini_model.write_generated(path, 25, seed=3, vocabulary=vocabulary)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        reports = list(generate_reports(25, seed=3, vocabulary=vocabulary))
        assert [r["report"] for r in rows] == [r.text for r in reports]
        for row, one in zip(rows, reports, strict=True):
            states = [state_from_csv(row[name]) for name in vocabulary.names]
            if vocabulary is CHEXPERT14:
                assert tuple(states) == one.states
            else:
                assert set(states) <= {State.POSITIVE, State.NEGATIVE}


def test_reports_of_the_phantom_take_the_place_of_generated_ones(tmp_path: Path) -> None:
    path = tmp_path / "phantom.csv"
    mini_model.write_generated(path, 12, seed=3, vocabulary=CHEXPERT14, source="phantom")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert all("SYNTHETIC" in row["report"] for row in rows)
    rules = get_labeler("rules", vocabulary="chexpert14")
    spans = [ReportSpans(row["report"], select_sections(row["report"], "both")) for row in rows]
    said = [labels.states for labels in rules.label_batch(spans)]
    known = [tuple(state_from_csv(row[name]) for name in CHEXPERT14.names) for row in rows]
    assert np.mean(np.array(said) == np.array(known)) > 0.97
    with pytest.raises(SystemExit, match="chexpert14 alone"):
        list(_mini_texts.phantom_reports(1, seed=0, vocabulary=NIH14))


def test_the_difference_of_micro_f1_is_that_of_the_two() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], dtype=bool)
    other = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=bool)
    apart, low, high = mini_model.difference(truth, other, truth)
    assert apart == 0.25
    assert low <= apart <= high
    assert mini_model.difference(other, other, truth) == [0.0, 0.0, 0.0]
