"""What every scorer promises, whoever wrote it: run for each name that `SCORERS` knows."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.scorers import SCORERS, Scorer, get_scorer

REFERENCES = [
    "Heart size is normal. No pleural effusion.",
    "Small left pleural effusion. The lungs are otherwise clear.",
    "Mild pulmonary edema. No pneumothorax is seen.",
    "There is a right upper lobe opacity. Possible pneumonia.",
    "The heart is mildly enlarged. No consolidation or effusion.",
    "No acute cardiopulmonary abnormality in the chest.",
]
CANDIDATES = [
    "Heart size is normal. No pleural effusion or edema.",
    "Small left pleural effusion.",
    "No pulmonary edema. No pneumothorax.",
    "There is a left lower lobe opacity.",
    "The heart is enlarged.",
    "The lungs are clear.",
]
FLIPS = [(0, "No pleural effusion", "Pleural effusion"), (1, "Small left pleural", "No left pleural")]
"""Which candidate, its words, and words that say the opposite."""

NEURAL = {"bertscore", "chexbert_similarity"}
PACKAGE = {"radgraph"}
SCORED = [name for name in SCORERS.names() if name not in PACKAGE]

Run = Callable[..., list[Score]]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    for package in ("torch", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed (extra: neural)")
    place = Path(__file__).parents[1] / "scorers" / "tiny_encoder.py"
    spec = importlib.util.spec_from_file_location("tiny_encoder_of_contracts", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.write_encoder(tmp_path_factory.mktemp("contract_encoder")))


def annotations(texts: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
    """What a careful reader of these invented texts would mark: words, denied when a "no" stands before them."""
    marked: dict[str, Any] = {}
    for key, text in zip(ids, texts, strict=True):
        entities: dict[str, Any] = {}
        for sentence in text.lower().split("."):
            words = sentence.split()
            for word in words:
                if word in (
                    "effusion",
                    "edema",
                    "opacity",
                    "pneumonia",
                    "pneumothorax",
                    "heart",
                    "enlarged",
                    "lungs",
                ):
                    label = f"Observation::definitely {'absent' if words[0] == 'no' else 'present'}"
                    linked = [["modify", "1"]] if entities else []
                    entities[str(len(entities) + 1)] = {"tokens": word, "label": label, "relations": linked}
        marked[key] = {"text": text, "entities": entities}
    return marked


@cache
def cached(name: str, model: str | None) -> Scorer:
    return get_scorer(name) if model is None else get_scorer(name, model=model)


@pytest.fixture(params=SCORED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def build(name: str, request: pytest.FixtureRequest) -> Callable[..., Scorer]:
    options = {"model": request.getfixturevalue("encoder")} if name in NEURAL else {}

    def made(references: Sequence[str] = REFERENCES, candidates: Sequence[str] = CANDIDATES) -> Scorer:
        if name == "entities":
            ids = list(map(str, range(len(references))))
            more = {
                "annotations_references": annotations(references, ids),
                "annotations_candidates": annotations(candidates, ids),
            }
            return get_scorer(name, **more)
        return cached(name, options.get("model"))

    return made


@pytest.fixture
def run(build: Callable[..., Scorer]) -> Run:
    def scored(
        references: Sequence[str], candidates: Sequence[str], *, per_sample: bool = False
    ) -> list[Score]:
        scorer = build(references, candidates)
        return scorer.score(references, candidates, per_sample=per_sample)

    return scored


def by_name(scores: Sequence[Score]) -> dict[tuple[str, str], float]:
    named = {(s.name, getattr(s, "finding", "")): s.value for s in scores}
    assert len(named) == len(scores), "two scores have one name"
    return named


def close(a: Sequence[Score], b: Sequence[Score]) -> bool:
    one, two = by_name(a), by_name(b)
    assert one.keys() == two.keys()
    return all(
        math.isclose(one[k], two[k], abs_tol=1e-5) or (one[k] != one[k] and two[k] != two[k]) for k in one
    )


def test_it_is_called_as_its_file_and_so_are_its_scores(
    name: str, build: Callable[..., Scorer], run: Run
) -> None:
    scorer = build()
    assert scorer.name == name
    for score in run(REFERENCES, CANDIDATES):
        assert score.name == name or score.name.startswith(f"{name}_")
        assert score.version == scorer.version != ""
        assert score.preset == scorer.preset != ""


def test_direction_and_range_are_as_declared(build: Callable[..., Scorer], run: Run) -> None:
    scorer = build()
    assert scorer.lowest < scorer.highest
    for score in run(REFERENCES, CANDIDATES, per_sample=True):
        assert (score.lowest, score.highest) == (scorer.lowest, scorer.highest)
        assert score.higher_is_better == scorer.higher_is_better
        for value in (score.value, *(score.per_sample or ())):
            assert math.isnan(value) or score.lowest - 1e-9 <= value <= score.highest + 1e-9


def test_a_perfect_candidate_gets_the_best_score(run: Run) -> None:
    perfect, given, poor = (by_name(run(REFERENCES, c)) for c in (REFERENCES, CANDIDATES, CANDIDATES[::-1]))
    sign = 1 if run(REFERENCES, REFERENCES)[0].higher_is_better else -1
    for key, best in perfect.items():
        for others in (given, poor):
            assert math.isnan(others[key]) or math.isnan(best) or sign * best >= sign * others[key] - 1e-9, (
                key
            )
    assert any(sign * perfect[key] > sign * given[key] for key in perfect)


def test_a_perfect_candidate_reaches_the_end_of_the_range(run: Run) -> None:
    scores = run(REFERENCES, REFERENCES)
    end = scores[0].highest if scores[0].higher_is_better else scores[0].lowest
    assert any(math.isclose(score.value, end, abs_tol=1e-5) for score in scores)


def test_order_of_rows_does_not_matter(run: Run) -> None:
    places = list(range(len(REFERENCES)))
    random.Random(5).shuffle(places)
    shuffled = run([REFERENCES[i] for i in places], [CANDIDATES[i] for i in places], per_sample=True)
    straight = run(REFERENCES, CANDIDATES, per_sample=True)
    assert close(straight, shuffled)
    for one, two in zip(straight, shuffled, strict=True):
        for place, i in enumerate(places):
            if one.per_sample is not None and two.per_sample is not None:
                assert two.per_sample[place] == pytest.approx(one.per_sample[i], abs=1e-5, nan_ok=True)


def test_values_per_sample_are_as_many_as_rows_and_only_when_asked_for(run: Run) -> None:
    asked = run(REFERENCES, CANDIDATES, per_sample=True)
    assert any(score.per_sample is not None for score in asked)
    assert all(score.per_sample is None or len(score.per_sample) == len(REFERENCES) for score in asked)
    silent = run(REFERENCES, CANDIDATES)
    assert all(score.per_sample is None for score in silent)
    assert close(asked, silent)


def test_a_flipped_negation_is_no_gain_and_costs_a_clinical_score(
    build: Callable[..., Scorer], run: Run
) -> None:
    for place, words, opposite in FLIPS:
        flipped = list(REFERENCES)
        flipped[place] = flipped[place].replace(words, opposite)
        assert flipped[place] != REFERENCES[place]
        before, after = run(REFERENCES, REFERENCES), run(REFERENCES, flipped)
        sign = 1 if before[0].higher_is_better else -1
        gains = [sign * (a.value - b.value) for b, a in zip(before, after, strict=True)]
        assert all(math.isnan(gain) or gain <= 1e-9 for gain in gains)
        assert not build().clinical or any(gain < 0 for gain in gains)


def test_flipped_negations_lower_every_clinical_score(build: Callable[..., Scorer], run: Run) -> None:
    """One finding wrongly affirmed and one wrongly denied: every average gets worse, no finding gets better."""
    if not build().clinical:
        pytest.skip("it does not claim to see what is denied")
    flipped = list(CANDIDATES)
    for place, words, opposite in FLIPS:
        flipped[place] = flipped[place].replace(words, opposite)
    before, after = by_name(run(REFERENCES, CANDIDATES)), by_name(run(REFERENCES, flipped))
    for key, value in before.items():
        assert math.isnan(value) or math.isnan(after[key]) or after[key] <= value, key
        if not key[1]:
            assert after[key] < value, key


def test_case_and_trailing_punctuation_do_not_matter(build: Callable[..., Scorer], run: Run) -> None:
    if not build().plain:
        pytest.skip("it does not claim to ignore case and punctuation")
    scores = run(REFERENCES, CANDIDATES)
    for changed in (
        [text.upper() for text in CANDIDATES],
        [text.lower() for text in CANDIDATES],
        [text.rstrip(".") for text in CANDIDATES],
        [f"{text} ." for text in CANDIDATES],
    ):
        assert close(scores, run(REFERENCES, changed))


def test_an_empty_candidate_is_scored(run: Run) -> None:
    scores = run(REFERENCES, [*CANDIDATES[:-1], ""], per_sample=True)
    assert all(math.isfinite(score.value) for score in scores if not getattr(score, "finding", ""))


def test_unequal_numbers_and_no_pairs_are_refused(build: Callable[..., Scorer]) -> None:
    with pytest.raises(InputError):
        build().score(REFERENCES, CANDIDATES[:-1])
    with pytest.raises(InputError):
        build().score([], [])


def test_the_same_call_gives_the_same_values(run: Run) -> None:
    first, second = (run(REFERENCES, CANDIDATES, per_sample=True) for _ in range(2))
    assert repr(first) == repr(second)


@pytest.mark.parametrize("package", sorted(PACKAGE))
def test_a_scorer_whose_package_is_missing_says_what_to_do(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match="Next step: pip install"):
        get_scorer(package)
