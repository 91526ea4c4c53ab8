from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.text import normalize
from hilum.text.normalize import (
    COLON,
    COMMA,
    DEIDENTIFIED,
    GAP,
    NUMBER,
    QUESTION_AFTER,
    QUESTION_BEFORE,
    SENTENCE_END,
    SLASH,
    UNKNOWN_WORD,
    SymbolTable,
    flatten,
    gap_symbol,
)

REPORTS = st.text(
    st.sampled_from("aZ xX_[]*.,:;?\r\n\t\f-\u0130\u00df\ufb01\u2019\u2026\u05d0\U0001f600\x00")
)


@given(st.text() | REPORTS)
def test_the_length_is_kept_for_any_text(text: str) -> None:
    assert len(flatten(text)) == len(text)


@given(st.text() | REPORTS)
def test_parts_together_are_the_flat_text(text: str) -> None:
    table = SymbolTable(["effusion"], {})
    parts, symbols = table.encode(flatten(text))
    assert "".join(parts) == flatten(text)
    assert len(parts) == len(symbols)
    assert len(parts) % 2 == 1


@pytest.mark.parametrize(
    ("text", "flat"),
    [
        ("No EDEMA", "no edema"),
        ("XXXX mass", "xxxx mass"),
        ("___ man", "xxx man"),
        ("seen [**2101-3-4**] by", "seen xxxxxxxxxxxxxx by"),
        ("[**Name\n(NI)**]", "x" * 15),
        ("can\u2019t", "can't"),
        ("left\u2013sided", "left-sided"),
        ("a\u00a0b\u200bc", "a b c"),
        ("n\u00f6\x00edema", "no edema"),
        ("a\r\nb", "a \nb"),
        ("a\rb", "a\nb"),
        ("\u0130stanbul", "\u0130stanbul"),
        ("\U0001f600 Edema", "\U0001f600 edema"),
        ("\u05d0\u05d1 Edema", "\u05d0\u05d1 edema"),
        ("e\uff0cf\u3002", "e,f."),
        ("No edema\nHeart", "no edema\fheart"),
        ("no pleural\neffusion", "no pleural\neffusion"),
    ],
)
def test_flat_text(text: str, flat: str) -> None:
    assert flatten(text) == flat


def test_dotted_capital_i_does_not_move_what_follows() -> None:
    text = "\u0130 \u0130 EFFUSION"
    assert flatten(text).index("effusion") == text.index("EFFUSION")


@pytest.mark.parametrize(
    ("gap", "symbol"),
    [
        (" ", GAP), ("-", GAP), ("\n", GAP), (", ", COMMA), (" (", COMMA), (" - ", COMMA), (": ", COLON),
        (".", SENTENCE_END), ("; ", SENTENCE_END), ("!", SENTENCE_END), ("\f", SENTENCE_END),
        ("\n- ", SENTENCE_END), ("\n\n", SENTENCE_END), ("?", QUESTION_AFTER), (" ?", QUESTION_BEFORE),
        ("/", SLASH), (" / ", SLASH), ("? ", QUESTION_AFTER),
    ],
)  # fmt: skip
def test_the_strongest_mark_between_two_words_counts(gap: str, symbol: str) -> None:
    assert gap_symbol(gap) == symbol


@pytest.fixture
def table() -> SymbolTable:
    return SymbolTable(
        ["opacity", "mass", "effusion", "the"], {"opacity": ["opacification"], "edema": ["oedema"]}
    )


@pytest.mark.parametrize(
    ("form", "word"),
    [("opacities", "opacity"), ("opacification", "opacity"), ("masses", "mass"),
     ("effusions", "effusion"), ("oedema", "edema")],
)  # fmt: skip
def test_plurals_and_spellings_are_the_same_symbol(table: SymbolTable, form: str, word: str) -> None:
    assert table[form] == table[word]
    assert table.word(form) == table.word(word)


def test_other_words_share_one_symbol_by_kind(table: SymbolTable) -> None:
    assert table["fever"] == table["\u05d0\u05d1"] == UNKNOWN_WORD
    assert table["12.5"] == NUMBER
    assert table["xxxx"] == DEIDENTIFIED
    assert table["x"] == UNKNOWN_WORD
    with pytest.raises(KeyError):
        table.word("fever")


def test_nul_stands_between_words_as_a_space_does(table: SymbolTable) -> None:
    assert table.encode(flatten("mass\x00effusion"))[1] == table.encode("mass effusion")[1]


def test_a_decimal_is_one_part(table: SymbolTable) -> None:
    parts, _ = table.encode("a 2.5 cm mass.")
    assert parts[1::2] == ["a", "2.5", "cm", "mass"]


def test_words_met_later_are_remembered_up_to_a_limit(
    table: SymbolTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalize, "_CACHE_LIMIT", len(table) + 5)
    for i in range(100):
        assert table["w" * (i + 1)] == UNKNOWN_WORD
    assert len(table) <= normalize._CACHE_LIMIT
