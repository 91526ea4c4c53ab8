from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.train.wordpiece import SPECIAL, count_words, word_pieces, write_tokenizer


def test_words_are_cut_as_bert_cuts_them() -> None:
    assert count_words(["No EDEMA, naïve 2.5"]) == Counter(
        {"no": 1, "edema": 1, ",": 1, "naive": 1, "2": 1, ".": 1, "5": 1}
    )


def test_the_most_frequent_pair_comes_first() -> None:
    pieces = word_pieces(Counter({"lung": 5, "lungs": 2, "hung": 4}), size=100)
    letters = sorted(["l", "h", "##u", "##n", "##g", "##s"])
    assert pieces[: len(SPECIAL)] == list(SPECIAL)
    assert pieces[5:11] == letters
    # u+n and n+g are in all 11 words; "##n" stands before "##u", and then u goes before the new piece
    assert pieces[11:] == ["##ng", "##ung", "lung", "hung", "lungs"]


def test_equal_counts_go_by_the_alphabet() -> None:
    pieces = word_pieces(Counter({"ab": 1, "ba": 1}), size=100)
    assert pieces[9:] == ["ab", "ba"]


def test_a_repeated_letter_is_merged_once() -> None:
    pieces = word_pieces(Counter({"aaaa": 1}), size=100)
    assert "aaaa" in pieces
    assert len(set(pieces)) == len(pieces)


def test_the_order_of_words_changes_nothing() -> None:
    words = {"opacity": 3, "opaque": 3, "opacities": 2, "city": 2}
    one = word_pieces(Counter(words), size=40)
    assert one == word_pieces(Counter(dict(reversed(words.items()))), size=40)


def test_too_small_a_size() -> None:
    with pytest.raises(InputError, match="no room for the 3 letters"):
        word_pieces(Counter({"abc": 1}), size=7)


def test_transformers_reads_it(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    words = count_words(["No pleural effusion. No pneumothorax."] * 3)
    write_tokenizer(tmp_path, word_pieces(words, size=200), max_tokens=32)
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path))
    assert tokenizer.tokenize("NO Pneumothorax, no effusion") == [
        "no",
        "pneumothorax",
        "[UNK]",
        "no",
        "effusion",
    ]
    ids = tokenizer("no effusion")["input_ids"]
    assert (ids[0], ids[-1]) == (SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]"))
    assert tokenizer.pad_token_id == 0
    assert tokenizer.model_max_length == 32
