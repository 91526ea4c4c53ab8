"""Every named difference of a convention has a sentence that the two conventions label differently."""

from __future__ import annotations

import pytest

from hilum.core.vocabulary import CSV_CODES, State
from hilum.labelers import ReportSpans, get_labeler
from hilum.labelers._lexicon import load_lexicon
from hilum.labelers._lexicon_files import shipped

CASES: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "stable-structure": ("The heart is stable in size.", {"No Finding": 1}, {"Cardiomegaly": -1}),
    "mention-without-predicate": (
        "Tube in the mediastinum.",
        {"No Finding": 1, "Support Devices": 1},
        {"Enlarged Cardiomediastinum": 1, "Support Devices": 1},
    ),
    "cardiac-contour-is-mediastinum": (
        "Cardiac contour is enlarged.",
        {"Cardiomegaly": 1},
        {"Enlarged Cardiomediastinum": 1, "Cardiomegaly": 1},
    ),
    "heart-and-mediastinum-is-mediastinum": (
        "Heart and mediastinum are normal.",
        {"No Finding": 1, "Enlarged Cardiomediastinum": 0, "Cardiomegaly": 0},
        {"No Finding": 1, "Enlarged Cardiomediastinum": 0},
    ),
    "heart-failure-hints-at-cardiomegaly": ("Heart failure.", {"Edema": 1}, {"Edema": 1, "Cardiomegaly": -1}),
    "surgical-material-is-no-device": (
        "Surgical clips.",
        {"No Finding": 1, "Support Devices": 1},
        {"No Finding": 1},
    ),
    "volumes-and-aorta-leave-no-finding": ("Low lung volumes. Tortuous aorta.", {}, {"No Finding": 1}),
}


def codes(text: str, convention: str) -> dict[str, int | None]:
    [labels] = get_labeler("rules", convention=convention).label_batch([ReportSpans(text)])
    return {name: CSV_CODES[state] for name, state in labels.as_dict().items() if state is not State.BLANK}


def differences(convention: str) -> list[str]:
    return [d["name"] for d in shipped(f"convention_{convention}").data.get("difference", [])]


def test_every_difference_has_a_case_and_every_case_a_difference() -> None:
    assert differences("chexpert") == list(CASES)
    assert differences("house") == []


@pytest.mark.parametrize("name", CASES)
def test_a_difference(name: str) -> None:
    text, house, chexpert = CASES[name]
    assert codes(text, "house") == house
    assert codes(text, "chexpert") == chexpert


def test_cardiac_and_mediastinal_silhouettes() -> None:
    text = "Cardiac and mediastinal silhouettes are normal."
    assert codes(text, "house") == {"No Finding": 1, "Enlarged Cardiomediastinum": 0, "Cardiomegaly": 0}
    assert codes(text, "chexpert") == {"No Finding": 1, "Enlarged Cardiomediastinum": 0}


def test_no_heart_failure_says_nothing_of_the_heart() -> None:
    assert codes("No heart failure.", "chexpert") == {"No Finding": 1, "Edema": 0}


@pytest.mark.parametrize(
    "text", ["Small effusion.", "Heart size is normal.", "No edema or pneumonia.", "Possible nodule."]
)
def test_both_conventions_agree_elsewhere(text: str) -> None:
    assert codes(text, "house") == codes(text, "chexpert")


def test_each_convention_is_stamped() -> None:
    for convention in ("house", "chexpert"):
        assert load_lexicon(convention=convention).convention == convention
        assert get_labeler("rules", convention=convention).stamp["convention"] == convention
