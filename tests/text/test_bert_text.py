from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.errors import UnknownNameError
from hilum.text.bert_text import TEXT_MODES, prepare


def public_csv_way(text: str) -> str:
    """The steps of the public programs one by one, as their data frames apply them."""
    return re.sub(r"\s+", " ", text.strip().replace("\n", " ")).strip()


def public_list_way(text: str) -> str:
    bare = re.sub(r"[0-9]\.", "", text.strip().replace("\n", " "))
    return re.sub(r"\s+", " ", bare).strip()


def test_folded_strips_and_folds_white_space() -> None:
    assert prepare("  Clear.\n\n No\teffusion \r\n") == "Clear. No effusion"


def test_the_default_keeps_numbers() -> None:
    assert prepare("1. A 2.5 cm nodule.") == "1. A 2.5 cm nodule."


def test_the_list_mode_deletes_a_digit_with_its_full_stop() -> None:
    assert prepare("1. A 2.5 cm nodule.\n2. Clear 10.", "chexbert-list") == "A 5 cm nodule. Clear 1"


@pytest.mark.parametrize("text", ["", " \n\t", "\u00a0"])
@pytest.mark.parametrize("mode", TEXT_MODES)
def test_nothing_but_white_space_is_empty(text: str, mode: str) -> None:
    assert prepare(text, mode) == ""


def test_a_list_mode_may_leave_nothing() -> None:
    assert prepare("1.", "chexbert-list") == ""


def test_another_mode_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="folded"):
        prepare("x", "fold")


PIECES = st.sampled_from(
    ["1.", "2", ".", " ", "\n", "\r\n", "\t", "\x0b", "\x1c", "\x85", "\u00a0", "\u2003", "a", "No"]
)
TEXTS = st.text() | st.lists(PIECES).map("".join)


@given(TEXTS)
def test_folded_is_what_the_public_csv_labeling_does(text: str) -> None:
    assert prepare(text) == public_csv_way(text)


@given(TEXTS)
def test_the_list_mode_is_what_the_public_list_function_does(text: str) -> None:
    assert prepare(text, "chexbert-list") == public_list_way(text)


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert prepare(prepare(text)) == prepare(text)
