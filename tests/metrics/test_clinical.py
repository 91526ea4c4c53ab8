"""Clinical F1 against scikit-learn, under every preset."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.vocabulary import BINARY_POLICIES, CHEXPERT14, State
from hilum.metrics.clinical import PRESETS, clinical_scores, get_preset

BINARY = [name for name, preset in PRESETS.items() if preset.policy is not None]
SKLEARN = {"micro": "micro", "macro": "macro", "weighted": "weighted", "example": "samples"}


def matrix(states: Any, source: str = "made up") -> LabelMatrix:
    states_NF = np.asarray(states, dtype=np.int8)
    return LabelMatrix(source, CHEXPERT14, CHEXPERT14.names[: states_NF.shape[1]], (), states_NF)


def random_pair(seed: int, rows: int = 200, findings: int = 14) -> tuple[LabelMatrix, LabelMatrix]:
    rng = np.random.default_rng(seed)
    shares = (0.6, 0.15, 0.2, 0.05)
    truth = rng.choice(4, size=(rows, findings), p=shares)
    said = np.where(rng.random((rows, findings)) < 0.6, truth, rng.choice(4, size=(rows, findings), p=shares))
    truth[:, 3], said[:, 3] = State.BLANK, State.NEGATIVE  # no positive in either
    said[:, 5] = State.BLANK
    truth[:5], said[:5] = State.BLANK, State.BLANK
    return matrix(truth), matrix(said)


@pytest.mark.parametrize("preset", ["f1chexbert", "r2gen"])
@pytest.mark.parametrize("seed", range(4))
def test_presets_of_public_code_are_scikit_learns_averages(preset: str, seed: int) -> None:
    truth, said = random_pair(seed)
    policy = PRESETS[preset].policy
    assert policy is not None
    true_NF, said_NF = truth.binary(policy), said.binary(policy)
    scores = clinical_scores(truth, said, preset=preset)
    for ours, theirs in SKLEARN.items():
        expected = precision_recall_fscore_support(true_NF, said_NF, average=theirs, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert scores.averages.values[f"{name}_{ours}"] == pytest.approx(value, abs=1e-12), (name, ours)
    assert scores.averages.values["exact_match"] == pytest.approx(accuracy_score(true_NF, said_NF))
    each = precision_recall_fscore_support(true_NF, said_NF, average=None, zero_division=np.nan)
    for values, theirs_F in zip(scores.rates[:3], each[:3], strict=True):
        np.testing.assert_allclose(values, theirs_F)
    np.testing.assert_array_equal(scores.support, each[3])
    right = [accuracy_score(t, s) for t, s in zip(true_NF.T, said_NF.T, strict=True)]
    np.testing.assert_allclose(scores.rates.accuracy, right)
    assert scores.averages.values["accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.parametrize("preset", ["uncertain-to-one", "uncertain-to-zero"])
def test_what_is_not_defined_is_left_out_and_counted(preset: str) -> None:
    truth, said = random_pair(7)
    scores = clinical_scores(truth, said, preset=preset)
    policy = str(PRESETS[preset].policy)
    true_NF, said_NF = truth.binary(policy), said.binary(policy)
    for ours in ("macro", "example"):
        expected = precision_recall_fscore_support(
            true_NF, said_NF, average=SKLEARN[ours], zero_division=np.nan
        )
        for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert scores.averages.values[f"{name}_{ours}"] == pytest.approx(value), (name, ours)
    assert scores.averages.counted["f1_macro"] == (13, 14)
    reports, total = scores.averages.counted["f1_example"]
    assert total == 200
    assert reports == int((~np.isnan(scores.averages.reports["f1_example"])).sum()) <= 195


def test_an_uncertain_cell_of_either_side_is_not_compared() -> None:
    truth, said = random_pair(3)
    scores = clinical_scores(truth, said, preset="uncertain-ignored")
    for place in range(14):
        t, s = truth.binary("uncertain-ignored")[:, place], said.binary("uncertain-ignored")[:, place]
        kept = (t != LEFT_OUT) & (s != LEFT_OUT)
        p, r, f, _ = precision_recall_fscore_support(t[kept], s[kept], average="binary", zero_division=np.nan)
        got = [float(values[place]) for values in scores.rates[:3]]
        np.testing.assert_allclose(got, [p, r, f])


def test_uncertain_and_blank_are_mapped_as_each_preset_says() -> None:
    """One finding; what the reference and the candidate say of it, and the F1 that each preset gives."""
    states = dict(zip("BPNU", (State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN), strict=True))
    filler = ("P", "P")  # so that F1 is defined
    for a, b in itertools.product(states, repeat=2):
        truth, said = (matrix([[states[x]], [states[y]]]) for x, y in ((filler[0], a), (filler[1], b)))
        one, zero, ignored = (
            clinical_scores(truth, said, preset=name).averages.values["f1_micro"]
            for name in ("f1chexbert", "r2gen", "uncertain-ignored")
        )
        assert one == pytest.approx(1.0 if (a in "PU") == (b in "PU") else 2 / 3)
        assert zero == pytest.approx(1.0 if (a == "P") == (b == "P") else 2 / 3)
        assert ignored == pytest.approx(1.0 if "U" in (a, b) or (a == "P") == (b == "P") else 2 / 3)
        four = clinical_scores(truth, said, preset="four-state").averages.values["f1_micro"]
        assert four == pytest.approx(1.0 if a == b else 0.5)


def test_four_states_are_scikit_learns_classes() -> None:
    truth, said = random_pair(11)
    scores = clinical_scores(truth, said, preset="four-state")
    for place in range(14):
        t, s = truth.states_NF[:, place], said.states_NF[:, place]
        p, r, f, _ = precision_recall_fscore_support(t, s, average="macro", zero_division=0)
        np.testing.assert_allclose([float(values[place]) for values in scores.rates[:3]], [p, r, f])
    same = truth.states_NF == said.states_NF
    assert scores.averages.values["f1_micro"] == pytest.approx(same.mean())
    assert scores.averages.values["accuracy"] == pytest.approx(same.mean())
    assert scores.averages.values["exact_match"] == pytest.approx(same.all(axis=1).mean())
    np.testing.assert_allclose(scores.averages.reports["f1_example"], same.mean(axis=1))


def test_nothing_positive_anywhere_is_zero_or_undefined_by_the_preset_and_said() -> None:
    blank = matrix(np.zeros((3, 4)))
    zero, out = (clinical_scores(blank, blank, preset=name) for name in ("f1chexbert", "uncertain-to-one"))
    for key in ("f1_micro", "f1_macro", "f1_weighted", "f1_example"):
        assert zero.averages.values[key] == 0.0
        assert math.isnan(out.averages.values[key])
        for scores in (zero, out):
            assert scores.averages.counted[key][0] == 0
    assert zero.averages.values["accuracy"] == zero.averages.values["exact_match"] == 1.0


@pytest.mark.parametrize("preset", PRESETS)
def test_order_of_reports_does_not_matter_and_perfect_is_best(preset: str) -> None:
    truth, said = random_pair(5)
    order = np.random.default_rng(0).permutation(len(truth))
    one = clinical_scores(truth, said, preset=preset)
    two = clinical_scores(truth.take(order), said.take(order), preset=preset)
    best = clinical_scores(truth, truth, preset=preset)
    for key, value in one.averages.values.items():
        assert two.averages.values[key] == pytest.approx(value)
        assert value <= best.averages.values[key]
    for key in ("f1_micro", "f1_weighted", "accuracy", "exact_match"):
        assert best.averages.values[key] == 1.0


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_each_preset_says_what_it_does(preset: Any) -> None:
    assert preset.policy is None or preset.policy in BINARY_POLICIES
    assert len(preset.text) > 40
    assert get_preset(preset.name) is preset


def test_wrong_input_is_told() -> None:
    truth, said = random_pair(1)
    with pytest.raises(UnknownNameError, match="r2gen"):
        clinical_scores(truth, said, preset="r2gem")
    with pytest.raises(InputError, match="199"):
        clinical_scores(truth, said.take(range(199)), preset="r2gen")
    with pytest.raises(InputError):
        clinical_scores(truth, said.select(CHEXPERT14.names[:5]), preset="r2gen")
    with pytest.raises(InputError):
        clinical_scores(truth.take([]), said.take([]), preset="r2gen")
