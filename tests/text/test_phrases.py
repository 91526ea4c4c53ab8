from __future__ import annotations

import pytest

from hilum.text.phrases import MAX_EXPANSIONS, expand, prefix_tree


@pytest.mark.parametrize(
    ("phrase", "plain"),
    [
        ("effusion", ["effusion"]),
        ("Pleural  Effusion", ["pleural effusion"]),
        ("(left|right) effusion", ["left effusion", "right effusion"]),
        ("(left|right)? effusion", ["effusion", "left effusion", "right effusion"]),
        ("large? effusion", ["effusion", "large effusion"]),
        ("(of the|in) lung", ["in lung", "of the lung"]),
        ("((a|b) c|d) e", ["a c e", "b c e", "d e"]),
        ("(a|b)? (c|d)?  e", ["a c e", "a d e", "a e", "b c e", "b d e", "b e", "c e", "d e", "e"]),
        ("a | b", ["a", "b"]),
        ("(a|a) b", ["a b"]),
    ],
)
def test_a_phrase_stands_for(phrase: str, plain: list[str]) -> None:
    assert expand(phrase) == plain


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("(left|right effusion", r"has a '\(' without '\)'"),
        ("left) effusion", r"has a '\)' without '\('"),
        ("(a|b)? c?", "can be empty"),
        ("a |", "can be empty"),
        ("?", "cannot be read|can be empty"),
        (" ".join(["(a|b|c|d|e)"] * 7), f"more than {MAX_EXPANSIONS} phrases; split it"),
    ],
)
def test_a_phrase_that_cannot_be_read_says_why(phrase: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand(phrase)


def test_the_prefix_tree_holds_each_value_at_the_end_of_its_key() -> None:
    tree = prefix_tree({"ab": 1, "abc": 2, "x": 3})
    assert tree["a"]["b"][""] == 1
    assert tree["a"]["b"]["c"][""] == 2
    assert tree["x"][""] == 3
    assert "" not in tree["a"]
    assert set(tree) == {"a", "x"}
