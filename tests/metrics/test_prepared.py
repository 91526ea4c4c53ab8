from __future__ import annotations

import random

import numpy as np
import pytest

import hilum.metrics.prepared as prepared_module
from hilum.core.errors import InputError
from hilum.metrics.overlap import cider, cider_d, document_frequencies
from hilum.metrics.prepared import prepare_cider, slots

WORDS = [f"w{i}" for i in range(60)]


def invented(count: int, seed: int, *, longest: int = 40, strange: int = 0) -> list[list[str]]:
    draw = random.Random(seed)
    words = WORDS + [f"new{i}" for i in range(strange)]
    return [
        [words[int(len(words) * draw.random() ** 2)] for _ in range(draw.randint(0, longest))]
        for _ in range(count)
    ]


TRAINING = invented(300, 1)
FREQUENCIES = document_frequencies([[text] for text in TRAINING])


@pytest.mark.parametrize("kind", ["cider_d", "cider"])
@pytest.mark.parametrize("of_training", [True, False])
def test_values_are_those_of_the_plain_functions(kind: str, of_training: bool) -> None:
    """Words that no document has stand in references and candidates; some texts are empty or short."""
    references = TRAINING if of_training else invented(300, 2, strange=10)
    candidates = [*invented(590, 3, strange=20), [], ["w1"], ["w1", "", "w2"], ["w1 w2"]]
    rows = [place * 7 % 300 for place in range(len(candidates))]
    ready = prepare_cider(references, frequencies=FREQUENCIES)
    plain = {"cider_d": cider_d, "cider": cider}[kind]
    wanted = plain([[references[row]] for row in rows], candidates, frequencies=FREQUENCIES)
    np.testing.assert_allclose(ready.scores(rows, candidates, kind=kind), wanted, rtol=0, atol=1e-12)  # type: ignore[arg-type]
    assert wanted.max() > 0


def test_values_are_those_of_pycocoevalcap() -> None:
    cider_scorer = pytest.importorskip(
        "pycocoevalcap.cider.cider_scorer", reason="pycocoevalcap is not installed (extra: dev)"
    )

    class Given(cider_scorer.CiderScorer):  # type: ignore[misc, name-defined]
        """Document frequencies of the training reports, as CIDEr is used as a reward."""

        ref_len = property(lambda self: np.log(len(TRAINING)), lambda self, value: None)

    theirs = Given()
    for text in TRAINING:
        for gram in cider_scorer.precook(" ".join(text)):
            theirs.document_frequency[gram] += 1
    candidates = invented(100, 4, strange=5)
    for reference, candidate in zip(TRAINING, candidates, strict=False):
        theirs += (" ".join(candidate), [" ".join(reference)])
    ours = prepare_cider(TRAINING, frequencies=FREQUENCIES).scores(range(100), candidates)
    np.testing.assert_allclose(ours, theirs.compute_cider(), rtol=0, atol=1e-9)


def test_more_words_than_can_be_told_apart_are_scored_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = invented(20, 5, strange=30)
    wanted = prepare_cider(TRAINING, frequencies=FREQUENCIES).scores(range(20), candidates)
    for most in (len(WORDS) + 3, 10):  # too many in the candidates; too many in the references
        monkeypatch.setattr(prepared_module, "MOST_WORDS", most)
        ready = prepare_cider(TRAINING, frequencies=FREQUENCIES)
        assert (ready.references is None) == (most == 10)
        np.testing.assert_allclose(ready.scores(range(20), candidates), wanted, rtol=0, atol=1e-12)


def test_a_candidate_earns_the_same_in_any_batch() -> None:
    ready = prepare_cider(TRAINING, frequencies=FREQUENCIES)
    candidates = invented(600, 6)
    together = ready.scores([place % 300 for place in range(600)], candidates)
    alone = [ready.scores([place % 300], [candidates[place]])[0] for place in range(0, 600, 37)]
    np.testing.assert_allclose(together[::37], alone, rtol=0, atol=1e-12)


def test_without_frequencies_the_references_are_the_documents() -> None:
    wanted = cider_d([[text] for text in TRAINING], TRAINING[::-1])
    np.testing.assert_allclose(
        prepare_cider(TRAINING).scores(range(300), TRAINING[::-1]), wanted, rtol=0, atol=1e-12
    )
    assert np.isnan(prepare_cider([["a", "b"]]).scores([0], [["a"]])).all()


def test_full_tables_find_what_is_there_and_nothing_else() -> None:
    draw = np.random.default_rng(7)
    keys = np.unique(draw.integers(1, 2**63, size=5000, dtype=np.uint64))
    rows = np.sort(draw.integers(0, 9, size=len(keys)))
    table = slots(rows, keys, np.arange(1, len(keys) + 1), rows=10, room=1)
    np.testing.assert_array_equal(table.find(rows, keys), np.arange(1, len(keys) + 1))
    assert not table.find((rows + 1) % 10, keys).any()
    assert not table.find(rows, keys + np.uint64(1)).any() or np.isin(keys + np.uint64(1), keys).any()


def test_rows_that_are_not_there_and_uncut_texts_are_refused() -> None:
    ready = prepare_cider(TRAINING, frequencies=FREQUENCIES)
    for rows in ([300], [-1]):
        with pytest.raises(InputError, match="go from 0 to 299"):
            ready.scores(rows, [["w1"]])
    with pytest.raises(InputError, match="1 candidates and 2"):
        ready.scores([0, 1], [["w1"]])
    with pytest.raises(InputError, match="one string"):
        ready.scores([0], ["w1 w2"])
    with pytest.raises(InputError, match="1 to 2 words"):
        prepare_cider(TRAINING, frequencies=document_frequencies([[t] for t in TRAINING], n=2))
    with pytest.raises(InputError):
        prepare_cider([])
