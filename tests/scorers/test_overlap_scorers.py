from __future__ import annotations

import math

import numpy as np
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.metrics.overlap import cider_d, corpus_bleu, rouge_l, sentence_bleu, tokenise
from hilum.scorers import Words, get_scorer

REFERENCES = ["No pleural effusion.", "The heart is mildly enlarged.", "Lungs are clear, no edema."]
CANDIDATES = ["Pleural effusion.", "Heart is normal.", "Lungs are clear."]


def test_values_are_those_of_the_metrics() -> None:
    wanted = [[tokens] for tokens in tokenise(REFERENCES)]
    said = tokenise(CANDIDATES)
    scores = get_scorer("bleu").score(REFERENCES, CANDIDATES, per_sample=True)
    result = corpus_bleu(wanted, said)
    assert [s.value for s in scores] == list(result.scores)
    assert [s.name for s in scores] == ["bleu_1", "bleu_2", "bleu_3", "bleu_4"]
    np.testing.assert_array_equal(np.array([s.per_sample for s in scores]).T, result.per_sample)
    for name, function in (("rouge_l", rouge_l), ("cider_d", cider_d)):
        [score] = get_scorer(name).score(REFERENCES, CANDIDATES, per_sample=True)
        assert score.per_sample == tuple(function(wanted, said).tolist())
        assert score.value == pytest.approx(np.mean(score.per_sample))
    own = [[tokens] for tokens in tokenise(REFERENCES, "cxr-report-metric")]
    [score] = get_scorer("sentence_bleu").score(REFERENCES, CANDIDATES)
    assert score.value == sentence_bleu(own, tokenise(CANDIDATES, "cxr-report-metric")).mean()


def test_the_tokenisation_is_named_and_chosen() -> None:
    [coco, *_] = get_scorer("bleu").score(["No edema."], ["no edema"])
    [spaces, *_] = get_scorer("bleu", tokens="whitespace").score(["No edema."], ["no edema"])
    assert coco.preset == "tokens coco"
    assert spaces.preset == "tokens whitespace"
    assert coco.value > 0.99
    assert spaces.value < 0.01
    assert get_scorer("rouge_l").plain
    assert not get_scorer("rouge_l", tokens="whitespace").plain
    with pytest.raises(UnknownNameError, match="coco"):
        get_scorer("cider", tokens="cocoo")


@pytest.mark.parametrize("name", ["cider", "cider_d"])
def test_cider_of_one_pair_is_not_defined_and_says_so(name: str) -> None:
    [score] = get_scorer(name).score(["No pleural effusion."], ["No pleural effusion."])
    assert math.isnan(score.value)
    assert "one reference alone" in score.note  # type: ignore[attr-defined]
    [many] = get_scorer(name).score(REFERENCES, CANDIDATES)
    assert many.note == ""  # type: ignore[attr-defined]


def test_several_references_and_an_empty_candidate() -> None:
    several = [("No edema.", "Clear lungs."), ("Effusion on the left.",), "Fracture."]
    [score] = get_scorer("rouge_l").score(several, ["Clear lungs.", "", "Fracture."], per_sample=True)
    assert score.per_sample == pytest.approx((1.0, 0.0, 1.0))


def test_words_are_shared_without_a_change() -> None:
    words = Words()
    shared = [get_scorer(n, words=words).score(REFERENCES, CANDIDATES) for n in ("bleu", "rouge_l", "cider")]
    assert shared == [get_scorer(n).score(REFERENCES, CANDIDATES) for n in ("bleu", "rouge_l", "cider")]
    assert words.cut("No edema.", "coco") is words.cut("No edema.", "coco")
    assert words.cut("No edema.", "whitespace") == ["No", "edema."]


def test_progress_ends_with_all_and_bad_numbers_are_told() -> None:
    seen: list[tuple[int, int]] = []
    get_scorer("rouge_l").score(
        REFERENCES, CANDIDATES, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (3, 3)
    with pytest.raises(InputError, match="3 references and 2 candidates"):
        get_scorer("bleu").score(REFERENCES, CANDIDATES[:2])
    with pytest.raises(InputError, match="no pairs"):
        get_scorer("rouge_l").score([], [])
