"""BLEU, ROUGE-L, CIDEr and tokenisations, against pycocoevalcap and by hand. All texts are invented."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.rng import rng_for
from hilum.metrics import _ngrams
from hilum.metrics.overlap import (
    TOKENISERS,
    DocumentFrequencies,
    cider,
    cider_d,
    corpus_bleu,
    document_frequencies,
    longest_common,
    overlap_scores,
    rouge_l,
    sentence_bleu,
    tokenise,
)

Corpus = tuple[list[list[list[str]]], list[list[str]]]
METRICS: dict[str, Callable[..., Any]] = {
    "bleu": lambda r, c: corpus_bleu(r, c).per_sample[:, -1],
    "sentence bleu": sentence_bleu,
    "rouge": rouge_l,
    "cider": cider,
    "cider-d": cider_d,
}
REPORTS = (
    "The heart is normal in size. The lungs are clear. No pleural effusion or pneumothorax.",
    "Mild cardiomegaly with small bilateral pleural effusions, larger on the left.",
    "There is a 1.5 cm nodule in the right upper lobe; follow-up CT isn't needed (stable since 2011).",
    "Lines and tubes are in unchanged position. Lungs remain clear.",
    "No acute disease.",
    "Right basilar opacity, atelectasis vs. pneumonia. The heart is normal in size.",
)


def random_corpus(seed: int, *, samples: int, words: int, longest: int, shortest: int = 1) -> Corpus:
    """References (one to three per sample) and candidates drawn from a few words, so that many n-grams meet."""
    rng = rng_for(0, "test_overlap", seed)

    def text(least: int) -> list[str]:
        return [f"w{w}" for w in rng.integers(words, size=rng.integers(least, longest + 1))]

    references = [[text(1) for _ in range(rng.integers(1, 4))] for _ in range(samples)]
    return references, [text(shortest) for _ in range(samples)]


def real_like() -> Corpus:
    references = [[tokens] for tokens in tokenise(REPORTS)]
    return references, tokenise([*REPORTS[1:], REPORTS[0]])


def against_coco(references: list[list[list[str]]], candidates: list[list[str]]) -> float:
    """The largest difference of any value from pycocoevalcap's."""
    truth = {i: [" ".join(text) for text in texts] for i, texts in enumerate(references)}
    given = {i: [" ".join(text)] for i, text in enumerate(candidates)}
    corpus, per_sample = Bleu(4).compute_score(truth, given, verbose=0)
    bleu = corpus_bleu(references, candidates)
    return max(
        float(np.abs(gap).max())
        for gap in (
            np.subtract(corpus, bleu.scores),
            np.array(per_sample).T - bleu.per_sample,
            Rouge().compute_score(truth, given)[1] - rouge_l(references, candidates),
            Cider().compute_score(truth, given)[1] - cider_d(references, candidates),
        )
    )


@pytest.mark.parametrize("seed", range(12))
def test_values_are_those_of_pycocoevalcap(seed: int) -> None:
    words, longest = [(3, 8), (10, 30), (50, 60)][seed % 3]
    assert against_coco(*random_corpus(seed, samples=15, words=words, longest=longest)) < 1e-9


def test_values_on_report_like_text_are_those_of_pycocoevalcap() -> None:
    assert against_coco(*real_like()) < 1e-9


def test_text_with_double_spaces_scores_as_coco_does_with_it() -> None:
    texts = ["no effusion .  .", "clear  lungs", "a b c ", "heart normal"]
    references = [[tokens] for tokens in tokenise(texts, "single-space")]
    assert references[1][0] == ["clear", "", "lungs"]
    assert against_coco(references, tokenise([*texts[2:], *texts[:2]], "single-space")) < 1e-9


def test_blocks_do_not_change_values(monkeypatch: pytest.MonkeyPatch) -> None:
    references, candidates = random_corpus(1, samples=40, words=20, longest=30)
    whole = overlap_scores(references, candidates)
    monkeypatch.setattr("hilum.metrics._frequencies._WORDS_AT_ONCE", 100)
    monkeypatch.setattr(_ngrams.block_bounds, "__kwdefaults__", {"most": 100})
    done: list[int] = []
    parts = overlap_scores(references, candidates, progress=done.append)
    assert len(done) > 5
    assert done[-1] == 40
    for a, b in zip(whole[1:], parts[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(whole.bleu.per_sample, parts.bleu.per_sample, rtol=0, atol=1e-12)
    assert whole.bleu.scores == pytest.approx(parts.bleu.scores, abs=1e-12)


def test_one_pass_gives_what_each_metric_gives() -> None:
    references, candidates = random_corpus(2, samples=20, words=10, longest=20, shortest=0)
    scores = overlap_scores(references, candidates)
    np.testing.assert_array_equal(scores.bleu.per_sample, corpus_bleu(references, candidates).per_sample)
    np.testing.assert_array_equal(scores.rouge_l, rouge_l(references, candidates))
    np.testing.assert_array_equal(scores.cider, cider(references, candidates))
    np.testing.assert_array_equal(scores.cider_d, cider_d(references, candidates))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_calls_progress(name: str) -> None:
    metric = {**METRICS, "bleu": corpus_bleu}[name]
    done: list[int] = []
    metric(*real_like(), progress=done.append)
    assert done == [len(REPORTS)]


@pytest.mark.parametrize("name", METRICS)
def test_perfect_candidate_scores_best(name: str) -> None:
    references, _ = real_like()
    long = [r for r in references if len(r[0]) >= 4]
    best = METRICS[name](long, [r[0] for r in long])
    np.testing.assert_allclose(best, 10.0 if name.startswith("cider") else 1.0, rtol=1e-8)


@pytest.mark.parametrize("name", METRICS)
def test_order_of_rows_does_not_matter(name: str) -> None:
    references, candidates = random_corpus(3, samples=30, words=15, longest=20)
    order = rng_for(0, "order").permutation(30)
    moved = METRICS[name]([references[i] for i in order], [candidates[i] for i in order])
    np.testing.assert_allclose(moved, METRICS[name](references, candidates)[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_empty_candidate_or_reference_scores_zero(name: str) -> None:
    full = ["the", "lungs", "are", "clear"]
    references = [[full], [[]], [[]], [["no", "acute", "disease", "seen"]]]
    values = METRICS[name](references, [[], full, [], ["no", "acute", "disease", "seen"]])
    assert values[:3] == pytest.approx([0, 0, 0], abs=1e-6)
    assert values[3] > 0.9


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("references", "candidates", "message"),
    [
        ([], [], "at least one candidate"),
        ([[["a"]]], [["a"], ["b"]], "Got 2 candidates and 1 lists"),
        ([[["a"]], []], [["a"], ["b"]], "Sample 1 .* has no reference"),
        ([[["a"]], ["a"]], [["a"], ["b"]], "list of strings"),
        ([[["a"]], "a b"], [["a"], ["b"]], "is one string"),
        ([[["a"]], [["b"]]], [["a"], "a b"], "Candidate 1 .* is one string"),
    ],
)
def test_bad_input_is_named(name: str, references: Any, candidates: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        METRICS[name](references, candidates)


def test_n_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        corpus_bleu([[["a"]]], [["a"]], n=0)


# BLEU


def test_brevity_and_closest_reference_by_hand() -> None:
    references = [[["a", "b", "c", "d", "e", "f"], ["a", "b", "x"]]]
    result = corpus_bleu(references, [["a", "b"]], n=2)
    assert result.scores == pytest.approx((math.exp(1 - 3 / 2),) * 2)
    tie = corpus_bleu([[["a"] * 3, ["a"] * 5]], [["a"] * 4], n=1)
    assert tie.scores[0] == pytest.approx(3 / 4 + 1 / 4), (
        "the shorter of two equally near; a is found 5 times"
    )


def test_corpus_bleu_is_not_the_mean_of_samples() -> None:
    references = [[["a"] * 9], [["b"]]]
    result = corpus_bleu(references, [["a"] * 9, ["c"]], n=1)
    assert result.scores[0] == pytest.approx(0.9)
    assert result.per_sample.mean() == pytest.approx(0.5)


def test_sentence_bleu_gives_the_figures_that_fast_bleu_states() -> None:
    """The example in fast-bleu's and NLTK's documentation."""
    references = [
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party",
        "It is the practical guide for the army always to heed the directions of the party",
    ]
    given = [
        "It is a guide to action which ensures that the military always obeys the commands of the party",
        "he read the book because he was interested in world history",
    ]
    truth = [tokenise(references, "whitespace")] * 2
    candidates = tokenise(given, "whitespace")
    assert sentence_bleu(truth, candidates) == pytest.approx(
        [0.7453559924999299, 0.0191380231127159], abs=1e-12
    )
    assert sentence_bleu(truth, candidates, n=3) == pytest.approx([0.6240726901, 0.0137208695], abs=1e-7)


def test_sentence_bleu_smooths_only_what_is_not_matched() -> None:
    values = sentence_bleu([[["a", "b", "c"]]] * 3, [["a", "c", "b"], ["x", "y", "z"], ["c", "b", "a"]])
    assert values == pytest.approx([math.sqrt(1 * 0.1 / 2), 0, math.sqrt(1 * 0.1 / 2)])


# ROUGE-L


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
@settings(max_examples=200, deadline=None)
def test_longest_common_subsequence_is_that_of_the_table(a: list[str], b: list[str]) -> None:
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
    assert longest_common(a, b) == table[-1, -1] == longest_common(b, a)


def test_rouge_takes_precision_and_recall_from_different_references() -> None:
    value = rouge_l([[["a", "b", "c", "x", "y", "z"], ["a"]]], [["a", "b", "c", "d"]])
    precision, recall = 3 / 4, 1.0
    assert value == pytest.approx([2.44 * precision * recall / (recall + 1.44 * precision)])


def test_rouge_of_long_texts_is_quick_and_right() -> None:
    text = [f"w{i % 97}" for i in range(5000)]
    assert rouge_l([[text]], [text[100:]]) == pytest.approx([2.44 * 0.98 / (0.98 + 1.44)])


# CIDEr


def plain_cider(references: list[list[list[str]]], candidates: list[list[str]], *, n: int = 4) -> list[float]:
    """CIDEr from the paper's equations (1 to 3) with nothing shared, times 10."""

    def grams(text: list[str], k: int) -> Counter[tuple[str, ...]]:
        return Counter(tuple(text[i : i + k]) for i in range(len(text) - k + 1))

    def cosine(a: dict[Any, float], b: dict[Any, float]) -> float:
        norms = math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
        return sum(x * b.get(g, 0.0) for g, x in a.items()) / norms if norms else 0.0

    scores = []
    for texts, candidate in zip(references, candidates, strict=True):
        total = 0.0
        for k in range(1, n + 1):
            found = Counter(g for other in references for g in {g for text in other for g in grams(text, k)})
            weigh = lambda text, k=k, found=found: {  # noqa: E731
                g: c / len(text) * math.log(len(references) / max(1, found[g]))
                for g, c in grams(text, k).items()
            }
            total += sum(cosine(weigh(candidate), weigh(text)) for text in texts) / len(texts)
        scores.append(10 * total / n)
    return scores


@pytest.mark.parametrize("seed", range(4))
def test_cider_is_that_of_the_first_paper(seed: int) -> None:
    references, candidates = random_corpus(seed, samples=8, words=6, longest=12)
    assert cider(references, candidates) == pytest.approx(plain_cider(references, candidates), abs=1e-9)


def test_repeating_a_word_pays_in_cider_but_not_in_cider_d() -> None:
    references = [[text] for text in tokenise(["small left effusion", "the heart is large", "clear lungs"])]
    gamed = [["effusion"] * 9, *(texts[0] for texts in references[1:])]
    assert cider(references, gamed)[0] > 5 * cider_d(references, gamed)[0] > 0


def test_cider_of_one_sample_is_undefined_and_not_zero() -> None:
    assert np.isnan(cider([[["a", "b"]]], [["a", "b"]])).all()
    assert np.isnan(overlap_scores([[["a", "b"]]] * 3, [["a", "b"]] * 3).cider_d).all()


def test_document_frequencies_are_counts_of_samples() -> None:
    references, _ = random_corpus(5, samples=30, words=5, longest=15)
    frequencies = document_frequencies(references)
    counted = Counter(
        gram
        for texts in references
        for gram in {tuple(t[i : i + k]) for t in texts for k in range(1, 5) for i in range(len(t) - k + 1)}
    )
    assert frequencies.documents == 30
    assert {gram: frequencies.count(gram) for gram in counted} == counted
    assert sum(map(len, frequencies.keys)) == len(counted)
    assert frequencies.count(["never"]) == frequencies.count(["w0", "never"]) == 0
    with pytest.raises(InputError, match="1 to 4 words"):
        frequencies.count(["w0"] * 5)


def test_given_document_frequencies_are_used() -> None:
    references, candidates = random_corpus(6, samples=30, words=9, longest=15)
    frequencies = document_frequencies(references)
    some = cider_d(references[:4], candidates[:4], frequencies=frequencies)
    np.testing.assert_allclose(some, cider_d(references, candidates)[:4], rtol=0, atol=1e-12)
    copy: DocumentFrequencies = pickle.loads(pickle.dumps(frequencies))
    np.testing.assert_array_equal(cider_d(references[:4], candidates[:4], frequencies=copy), some)
    unseen = cider_d([[["new", "words"]]], [["new", "words"]], frequencies=frequencies)
    assert unseen == pytest.approx([5.0]), "two words have no 3-grams and no 4-grams"


def test_document_frequencies_of_short_texts_and_bad_input() -> None:
    frequencies = document_frequencies([[["a"]], [["b"]]])
    assert [len(keys) for keys in frequencies.keys] == [2, 0, 0, 0]
    assert cider([[["a"]], [["b"]]], [["a"], ["a"]]) == pytest.approx([2.5, 0])
    with pytest.raises(InputError, match="at least one sample"):
        document_frequencies([])
    with pytest.raises(InputError, match="n is 4"):
        cider([[["a"]]], [["a"]], frequencies=document_frequencies([[["a"]]], n=2))


# Tokenisations


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("No focal consolidation.", "no focal consolidation"),
        ("Heart isn't enlarged; it's (very) small!", "heart is n't enlarged it 's -lrb- very -rrb- small"),
        ("1.5 cm nodule, 2.3cm mass -- T12-L1", "1.5 cm nodule 2.3 cm mass t12-l1"),
        ("A.P. view, e.g. Dr. Smith vs. others", "a.p. view e.g. dr. smith vs. others"),
        ("s/p x-ray & 50% >3 mm... 10/12/2014", "s/p x-ray & 50 % > 3 mm 10/12/2014"),
        ("1.Stable. Cannot see “apex”—limited", "1 stable can not see apex limited"),
        ("&lt;3 mm", "< 3 mm"),
        ("No. 5 but no.", "no. 5 but no"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_coco_tokens(text: str, tokens: str) -> None:
    assert TOKENISERS["coco"](text) == tokens.split()


def test_other_tokenisations() -> None:
    text = "Lungs are  clear, XXXX.\nNo effusion."
    assert TOKENISERS["whitespace"](text) == ["Lungs", "are", "clear,", "XXXX.", "No", "effusion."]
    assert TOKENISERS["single-space"](text) == ["Lungs", "are", "", "clear,", "XXXX.\nNo", "effusion."]
    assert TOKENISERS["single-space"]("  ") == []
    assert TOKENISERS["cxr-report-metric"]("Clear, XXXX. No") == ["clear,", "xxxx", ".", "no"]


def test_unknown_tokenisation_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'whitespace'"):
        tokenise(["a"], "white-space")


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_coco_tokens_are_lower_case_and_hold_no_space(text: str) -> None:
    tokens = TOKENISERS["coco"](text)
    assert all(token and not any(c.isspace() for c in token) for token in tokens)
    assert tokens == [token.lower() for token in tokens]
