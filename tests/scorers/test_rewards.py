from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import Labels, RowStatus
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.metrics.coherence import Belief
from hilum.metrics.overlap import cider_d, rouge_l, tokenise
from hilum.scorers import findings, mix, overlap
from hilum.scorers._rewards import Reward, majority_report, majority_sentences, simple_rewards

TRAINING = [
    "The heart is normal in size. The lungs are clear.",
    "The heart is enlarged. Small left pleural effusion.",
    "The lungs are clear. No pneumothorax is seen.",
    "the  heart is normal in size. The lungs are clear. ",
    "",
    "Possible pneumonia in the right lower lobe. A central line ends in the vena cava.",
]
REFERENCES = [TRAINING[1], TRAINING[2], TRAINING[5]]
CANDIDATES = ["The heart is enlarged. No pleural effusion.", "", "The lungs are clear. No central line."]
FREQUENCIES = overlap.training_frequencies(TRAINING)

REWARDS: dict[str, Reward] = {
    **{name: overlap.build(measure=name) for name in overlap.MEASURES if "cider" not in name},
    "cider": overlap.build(measure="cider", frequencies=FREQUENCIES),
    "cider_d": overlap.build(frequencies=FREQUENCIES),
    "findings": findings.build(),
    "doubtful findings": findings.build(belief=Belief(0.9, 0.05, 0.1, 0.3)),
    "mix": mix.build(frequencies=FREQUENCIES, shares={"overlap": 0.5, "findings": 2.0}),
    "turned mix": mix.build(frequencies=FREQUENCIES, shares={"overlap": -1.0, "findings": 1.0}),
}


@pytest.fixture(params=REWARDS)
def reward(request: pytest.FixtureRequest) -> Reward:
    return REWARDS[request.param]


def test_parts_add_up_and_lie_in_the_declared_range(reward: Reward) -> None:
    parts = reward.parts(REFERENCES, CANDIDATES)
    earned = reward.rewards(REFERENCES, CANDIDATES)
    assert parts.shape == (3, len(reward.part_names))
    assert parts.dtype == earned.dtype == np.float64
    np.testing.assert_allclose(parts.sum(axis=1), earned, atol=1e-12)
    least, most = reward.limits(REFERENCES)
    for low, value, high in zip(least, earned, most, strict=True):
        assert reward.lowest - 1e-9 <= low - 1e-9 <= value <= high + 1e-9 <= reward.highest + 2e-9


def test_prepared_references_give_the_same(reward: Reward) -> None:
    ready = reward.prepared(TRAINING)
    rows = [1, 2, 5, 1]
    candidates = [*CANDIDATES, TRAINING[1]]
    references = [TRAINING[row] for row in rows]
    assert len(ready) == len(TRAINING)
    np.testing.assert_allclose(
        ready.rewards(rows, candidates), reward.rewards(references, candidates), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        ready.parts(rows, candidates), reward.parts(references, candidates), rtol=0, atol=1e-12
    )
    for wrong in ([1], [1, 2, 5, 6], [-1, 2, 5, 1]):
        with pytest.raises(InputError):
            ready.rewards(wrong, candidates)


def test_a_pair_earns_the_same_alone_and_again(reward: Reward) -> None:
    together = reward.rewards(REFERENCES, CANDIDATES)
    alone = [reward.rewards([r], [c])[0] for r, c in zip(REFERENCES, CANDIDATES, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)
    assert together.tobytes() == reward.rewards(REFERENCES, CANDIDATES).tobytes()


def test_nothing_to_reward_and_other_numbers_are_refused(reward: Reward) -> None:
    with pytest.raises(InputError):
        reward.rewards([], [])
    with pytest.raises(InputError):
        reward.parts(REFERENCES, CANDIDATES[:2])
    with pytest.raises(InputError):
        reward.prepared([])


def test_the_measure_of_wording_is_that_of_metrics() -> None:
    given, said = [[tokens] for tokens in tokenise(REFERENCES)], tokenise(CANDIDATES)
    np.testing.assert_array_equal(
        REWARDS["cider_d"].rewards(REFERENCES, CANDIDATES), cider_d(given, said, frequencies=FREQUENCIES)
    )
    np.testing.assert_array_equal(REWARDS["rouge_l"].rewards(REFERENCES, CANDIDATES), rouge_l(given, said))
    np.testing.assert_array_equal(
        REWARDS["cider_d"].rewards([tokens for (tokens,) in given], said),
        REWARDS["cider_d"].rewards(REFERENCES, CANDIDATES),
    )


def test_wording_refuses_what_it_cannot_use() -> None:
    with pytest.raises(UnknownNameError, match="meteor"):
        overlap.build(measure="meteor")
    with pytest.raises(UnknownNameError):
        overlap.build(tokens="wordpiece")
    with pytest.raises(InputError, match="does not use them"):
        overlap.build(measure="rouge_l", frequencies=FREQUENCIES)
    with pytest.raises(InputError, match="weight 0"):
        overlap.build(frequencies=overlap.training_frequencies(["one report"]))
    (score,) = overlap.build().score(["one report"], ["one report"])
    assert math.isnan(score.value)
    assert "not defined" in score.note


def states(**given: State) -> np.ndarray[Any, Any]:
    """States of the labels, by name with `_` for a space."""
    names = REWARDS["findings"].part_names
    row = [given.get(name.replace(" ", "_"), State.BLANK) for name in names]
    return np.array([row], dtype=np.int8)


def test_the_labels_are_the_diseases_and_devices_and_a_pair_earns_up_to_thirteen() -> None:
    coherent = REWARDS["findings"]
    assert coherent.part_names == tuple(name for name in CHEXPERT14.names if name != "No Finding")
    assert (coherent.lowest, coherent.highest) == (0.0, 13.0)
    doubtful = REWARDS["doubtful findings"]
    assert doubtful.lowest == pytest.approx(13 * (0.9 * 0.05 + 0.1 * 0.95))
    assert doubtful.highest == pytest.approx(13 * (0.05**2 + 0.95**2))


@pytest.mark.parametrize(
    ("reference", "candidate", "earned"),
    [
        ("Possible pneumonia.", "Possible pneumonia.", 0.5),
        ("Pneumonia.", "Possible pneumonia.", 0.5),
        ("No pneumonia.", "", 1.0),
        ("No pneumonia.", "No pneumonia.", 1.0),
        ("No pneumonia.", "Pneumonia.", 0.0),
        ("Pneumonia.", "", 0.0),
        ("Pneumonia.", "Pneumonia.", 1.0),
        ("", "Possible pneumonia.", 0.5),
    ],
)
def test_one_label_earns_what_equation_1_says(reference: str, candidate: str, earned: float) -> None:
    coherent = REWARDS["findings"]
    parts = coherent.parts([reference], [candidate])[0]
    assert parts[coherent.part_names.index("Pneumonia")] == earned


def test_the_wrong_polarity_of_a_finding_costs_more_than_silence() -> None:
    """The example of the paper: for "no pleural effusion" wording prefers "mild pleural effusion" to no text."""
    said = ["Mild pleural effusion.", ""]
    truth = ["No pleural effusion."] * 2
    wrong, silent = REWARDS["rouge_l"].rewards(truth, said)
    assert wrong > silent
    wrong, silent = REWARDS["findings"].rewards(truth, said)
    assert wrong < silent


def test_texts_that_a_labeler_fails_on_are_not_defined_and_tokens_are_refused() -> None:
    class Failing:
        name, vocabulary, stamp = "failing", CHEXPERT14, {"labeler": "failing"}

        def label_batch(self, reports):  # type: ignore[no-untyped-def]
            blank = (State.BLANK,) * len(CHEXPERT14)
            status = [RowStatus.FAILED if "bad" in r.text else RowStatus.LABELED for r in reports]
            return [Labels(CHEXPERT14, blank, (), one) for one in status]

    coherent = findings.Findings(Failing(), Belief(), "whole")  # type: ignore[arg-type]
    earned = coherent.rewards(["good", "bad", "good"], ["good", "good", "bad"])
    assert earned[0] == 13
    assert np.isnan(earned[1:]).all()
    assert np.isnan(coherent.prepared(["bad"]).rewards([0], ["good"])).all()
    scores = coherent.score(["good", "bad", "good"], ["good", "good", "bad"])
    assert all("2 of 3 reports" in score.note and score.value == 13 for score in scores)
    with pytest.raises(InputError, match="list of tokens"):
        coherent.rewards(["good"], [["good", "."]])


def test_any_labeler_and_any_section_can_be_asked_for() -> None:
    nih = findings.build(vocabulary="nih14")
    assert "Hernia" in nih.part_names
    assert nih.highest == len(nih.part_names)
    headed = "FINDINGS: Pneumonia.\nIMPRESSION: No pneumonia."
    place = REWARDS["findings"].part_names.index("Pneumonia")
    for section, earned in (("whole", 1.0), ("findings", 1.0), ("impression", 0.0)):
        reward = findings.build(section=section)
        assert reward.parts([headed], ["Pneumonia."])[0, place] == earned
    with pytest.raises(UnknownNameError):
        findings.build(labeler="nobody")
    with pytest.raises(InputError):
        findings.build(section="nowhere")


def test_the_range_of_a_mix_is_worked_out_and_its_rewards_are_told_apart() -> None:
    both = mix.build(frequencies=FREQUENCIES, shares={"overlap": 0.5, "findings": 2.0})
    assert (both.lowest, both.highest) == (0.0, 0.5 * 10 + 2 * 13)
    turned = REWARDS["turned mix"]
    assert (turned.lowest, turned.highest) == (-10.0, 13.0)
    each = both.each(REFERENCES, CANDIDATES)
    assert set(each) == {"overlap", "findings"}
    np.testing.assert_allclose(
        both.rewards(REFERENCES, CANDIDATES), 0.5 * each["overlap"] + 2 * each["findings"]
    )
    assert both.part_names[0] == "overlap.cider_d"
    assert both.part_names[1] == f"findings.{REWARDS['findings'].part_names[0]}"
    told = both.prepared(TRAINING).each([1, 2, 5], CANDIDATES)
    np.testing.assert_allclose(told["overlap"], each["overlap"], atol=1e-12)


def test_a_weight_of_nothing_is_told_and_adds_nothing() -> None:
    alone = mix.build(shares={"overlap": 0.0, "findings": 1.0})
    np.testing.assert_array_equal(
        alone.rewards(REFERENCES[:1], CANDIDATES[:1]),
        REWARDS["findings"].rewards(REFERENCES[:1], CANDIDATES[:1]),
    )
    assert np.isnan(alone.each(REFERENCES[:1], CANDIDATES[:1])["overlap"]).all()
    assert np.isfinite(alone.parts(REFERENCES[:1], CANDIDATES[:1])).all()
    assert alone.highest == 13.0
    for wrong in (
        {"overlap": 1.0},
        {"overlap": 0.0, "findings": 0.0},
        {"overlap": math.nan, "findings": 1.0},
    ):
        with pytest.raises(InputError, match="Next step"):
            mix.build(shares=wrong)


def test_silence_nearly_wins_the_findings_and_nothing_of_the_wording() -> None:
    truth = ["The lungs are clear.", "No effusion.", "The heart is enlarged.", "No pneumothorax."]
    told = simple_rewards(REWARDS["findings"], truth, "The heart is enlarged.")
    cardiomegaly = REWARDS["findings"].rewards(truth[2:3], [""])[0]
    assert told["empty"] == pytest.approx((3 * 13 + cardiomegaly) / 4)
    assert told["empty"] > 12
    assert told["template"] < told["empty"]
    wording = simple_rewards(REWARDS["cider_d"], truth, "The lungs are clear.")
    assert wording["empty"] == 0.0 < wording["template"]


def test_templates_are_the_most_frequent_report_and_sentences() -> None:
    assert majority_report(TRAINING) == TRAINING[0]
    assert majority_report(["a b", "c d", "", "", ""]) == "a b"
    assert majority_sentences(TRAINING) == "The heart is normal in size. The lungs are clear."
    assert majority_sentences(TRAINING, sentences=1) == "The lungs are clear."
    for function in (majority_report, majority_sentences):
        with pytest.raises(InputError, match="empty"):
            function(["", " "])


def test_what_was_attained_is_of_what_could_be() -> None:
    coherent = REWARDS["findings"]
    scores = {score.name: score for score in coherent.score(["Possible pneumonia."], [""], per_sample=True)}
    assert scores["findings"].value == 12.5
    assert scores["findings_attained"].value == 13.0
    assert scores["findings"].per_sample == (12.5,)
