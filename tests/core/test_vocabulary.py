from __future__ import annotations

import math
import pickle

import pytest

from hilum.core.errors import UnknownNameError, VocabularyError
from hilum.core.vocabulary import (
    BINARY_POLICIES,
    CHEXBERT_CLASS_IDS,
    CHEXPERT14,
    COLUMN_ORDERS,
    CSV_CODES,
    NIH14,
    SHIPPED,
    Finding,
    State,
    Vocabulary,
    state_from_csv,
)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Airspace Opacity", "Lung Opacity"),
        ("airspace_opacity", "Lung Opacity"),
        ("Effusion", "Pleural Effusion"),
        ("PLEURAL EFFUSION", "Pleural Effusion"),
        ("pleural-effusion", "Pleural Effusion"),
        ("  support   devices ", "Support Devices"),
        ("Enlarged Cardiom.", "Enlarged Cardiomediastinum"),
        ("normal", "No Finding"),
        ("oedema", "Edema"),
    ],
)
def test_a_finding_is_found_by_any_spelling(spelling: str, name: str) -> None:
    assert CHEXPERT14.names[CHEXPERT14.index(spelling)] == name
    assert spelling in CHEXPERT14


def test_the_underscore_of_nih_is_a_space() -> None:
    assert NIH14.index("Pleural_Thickening") == NIH14.index("pleural thickening")
    assert NIH14.index("Pleural Effusion") == NIH14.index("Effusion")


def test_an_unknown_finding_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no finding 'Atelectsis'\. Did you mean 'Atelectasis'\?"):
        CHEXPERT14.index("Atelectsis")
    assert 3 not in CHEXPERT14
    assert "Atelectsis" not in CHEXPERT14


@pytest.mark.parametrize("order", ["chexpert", "chexbert", "mimic-cxr"])
def test_public_orders_hold_the_same_findings(order: str) -> None:
    columns = COLUMN_ORDERS[order]
    assert sorted(columns) == sorted(CHEXPERT14.names)
    assert CHEXPERT14.match_columns(columns) == {name: name for name in CHEXPERT14.names}


def test_public_orders_differ_so_a_place_says_nothing() -> None:
    assert len({COLUMN_ORDERS[o][0] for o in ("chexpert", "chexbert", "mimic-cxr")}) == 3


def test_columns_are_matched_by_name_never_by_place() -> None:
    columns = ["id", "Effusion", "EDEMA", "Airspace Opacity", "report", "Effusion 2"]
    assert CHEXPERT14.match_columns(columns) == {
        "Pleural Effusion": "Effusion",
        "Edema": "EDEMA",
        "Lung Opacity": "Airspace Opacity",
    }
    assert CHEXPERT14.match_columns(columns) == CHEXPERT14.match_columns(columns[::-1])


def test_of_two_columns_for_one_finding_the_first_is_taken() -> None:
    assert CHEXPERT14.match_columns(["Pleural Effusion", "Effusion"]) == {
        "Pleural Effusion": "Pleural Effusion"
    }


def test_the_hierarchy_is_that_of_chexpert() -> None:
    assert CHEXPERT14.ancestors("Pneumonia") == ("Consolidation", "Lung Opacity")
    assert CHEXPERT14.ancestors("Cardiomegaly") == ("Enlarged Cardiomediastinum",)
    for child in ("Lung Lesion", "Edema", "Consolidation", "Atelectasis"):
        assert CHEXPERT14.ancestors(child) == ("Lung Opacity",)
    apart = ("No Finding", "Support Devices", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture")
    assert all(CHEXPERT14.ancestors(name) == () for name in apart)


def test_roles() -> None:
    assert {f.name: f.role for f in CHEXPERT14.findings if f.role != "finding"} == {
        "No Finding": "none",
        "Support Devices": "device",
    }
    assert CHEXPERT14.no_finding == "No Finding"
    assert Vocabulary("one", (Finding("Edema"),)).no_finding is None


def test_shipped_vocabularies() -> None:
    assert dict(SHIPPED) == {"chexpert14": CHEXPERT14, "nih14": NIH14}
    assert len(CHEXPERT14) == 14
    assert len([f for f in NIH14.findings if f.role == "finding"]) == 14


@pytest.mark.parametrize("state", State)
def test_csv_codes_round_trip(state: State) -> None:
    assert state_from_csv(CSV_CODES[state]) is state
    assert state_from_csv("" if CSV_CODES[state] is None else f"{CSV_CODES[state]}.0") is state


def test_csv_blanks_and_bad_cells() -> None:
    assert state_from_csv(math.nan) is State.BLANK
    with pytest.raises(ValueError, match=r"2 is no label; allowed: 1 positive, 0 negative, -1 uncertain"):
        state_from_csv(2)
    with pytest.raises(ValueError, match="could not convert"):
        state_from_csv("yes")


def test_chexbert_class_ids() -> None:
    assert {s.name: i for s, i in CHEXBERT_CLASS_IDS.items()} == {
        "BLANK": 0,
        "POSITIVE": 1,
        "NEGATIVE": 2,
        "UNCERTAIN": 3,
    }
    assert all(State(CHEXBERT_CLASS_IDS[s]) is s for s in State)


@pytest.mark.parametrize(
    ("policy", "uncertain"), [("uncertain-to-zero", 0), ("uncertain-to-one", 1), ("uncertain-ignored", None)]
)
def test_binary_policies_differ_only_in_what_uncertain_is(policy: str, uncertain: int | None) -> None:
    codes = BINARY_POLICIES[policy]
    assert codes[State.UNCERTAIN] == uncertain
    assert (codes[State.POSITIVE], codes[State.NEGATIVE], codes[State.BLANK]) == (1, 0, 0)
    assert len(BINARY_POLICIES) == 3


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ((Finding("A"), Finding("A")), "names 'A' twice"),
        ((Finding("A", parent="B"),), "'A' has the unknown parent 'B'"),
        ((Finding("A", parent="B"), Finding("B", parent="A")), "'A' is its own ancestor"),
        ((Finding("A", role="thing"),), "'A' has role 'thing'; allowed: finding, device, none"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(findings: tuple[Finding, ...], message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        Vocabulary("mine", findings)


def test_a_vocabulary_travels_to_worker_processes() -> None:
    copy = pickle.loads(pickle.dumps(CHEXPERT14))
    assert copy == CHEXPERT14
    assert copy.index("Effusion") == CHEXPERT14.index("Effusion")
