from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.metrics.entities import LEVELS, PRESETS, entity_f1, entity_f1_all, items, read_annotations

PRESENT, ABSENT, PLACE = (
    "Observation::definitely present",
    "Observation::definitely absent",
    "Anatomy::definitely present",
)


def raw(*entities: tuple[str, str, list[list[str]]]) -> dict[str, Any]:
    return {
        "text": "made up",
        "entities": {
            str(i): {"tokens": t, "label": k, "start_ix": i, "end_ix": i, "relations": r}
            for i, (t, k, r) in enumerate(entities, start=1)
        },
    }


def one(*entities: tuple[str, str, list[list[str]]]) -> Any:
    return read_annotations({"0": raw(*entities)}, where="made up")["0"]


REFERENCE = one(
    ("effusion", PRESENT, [["located_at", "2"]]),
    ("pleural", PLACE, []),
    ("left", PLACE, [["modify", "2"]]),
    ("edema", ABSENT, []),
)
CANDIDATE = one(
    ("Effusion", PRESENT, [["located_at", "2"]]),
    ("pleural", PLACE, []),
    ("left", PLACE, []),
    ("edema", PRESENT, []),
)


def test_levels_count_what_they_say() -> None:
    """Simple shares effusion, pleural and left of 4; the others share effusion and pleural of 4."""
    assert entity_f1(REFERENCE, CANDIDATE, level="simple") == pytest.approx(3 / 4)
    assert entity_f1(REFERENCE, CANDIDATE, level="partial") == pytest.approx(2 / 4)
    assert entity_f1(REFERENCE, CANDIDATE, level="complete") == pytest.approx(2 / 4)


def test_f1radgraph_preset_heeds_case_of_entities_but_not_of_relations() -> None:
    assert entity_f1(REFERENCE, CANDIDATE, level="simple", preset="f1radgraph") == pytest.approx(2 / 4)
    assert entity_f1(REFERENCE, CANDIDATE, level="partial", preset="f1radgraph") == pytest.approx(1 / 4)
    assert entity_f1(REFERENCE, CANDIDATE, level="complete", preset="f1radgraph") == pytest.approx(2 / 4)


def test_items_are_a_set_with_one_per_relation() -> None:
    both = one(
        ("tube", PRESENT, [["located_at", "2"], ["located_at", "3"]]),
        ("chest", PLACE, []),
        ("chest", PLACE, []),
    )
    assert items(both, level="simple") == {("tube", PRESENT), ("chest", PLACE)}
    assert items(both, level="partial") == {("tube", PRESENT, True), ("chest", PLACE)}
    assert items(both, level="complete") == {("tube", PRESENT, "located_at", "chest"), ("chest", PLACE)}


def definition(reference: Any, candidate: Any) -> float:
    """Precision and recall spelled out, as F1RadGraph does."""
    ours, theirs = (items(a, level="complete") for a in (candidate, reference))
    precision = sum(x in theirs for x in ours) / len(ours)
    recall = sum(x in ours for x in theirs) / len(theirs)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_f1_is_that_of_precision_and_recall() -> None:
    rng = np.random.default_rng(0)
    words, labels = ("effusion", "edema", "left", "tube"), (PRESENT, ABSENT, PLACE)

    def draw() -> Any:
        n = int(rng.integers(1, 6))
        return one(
            *(
                (
                    str(rng.choice(words)),
                    str(rng.choice(labels)),
                    [["modify", str(rng.integers(1, n + 1))]] if rng.random() < 0.5 else [],
                )
                for _ in range(n)
            )
        )

    pairs = [(draw(), draw()) for _ in range(60)]
    ours = entity_f1_all([a for a, _ in pairs], [b for _, b in pairs], level="complete")
    np.testing.assert_allclose(ours, [definition(a, b) for a, b in pairs])


@pytest.mark.parametrize("level", LEVELS)
def test_empty_sides(level: str) -> None:
    assert entity_f1(REFERENCE, {}, level=level) == entity_f1({}, REFERENCE, level=level) == 0.0
    assert math.isnan(entity_f1({}, {}, level=level))
    assert entity_f1({}, {}, level=level, preset="f1radgraph") == 0.0
    assert entity_f1(REFERENCE, REFERENCE, level=level) == 1.0


def test_names_that_do_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="complete"):
        entity_f1(REFERENCE, CANDIDATE, level="complet")
    with pytest.raises(UnknownNameError, match="f1radgraph"):
        entity_f1(REFERENCE, CANDIDATE, preset="f1radgraf")
    assert all(preset.text for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "a list where an object"),
        ({"7": []}, "report '7'"),
        ({"7": {"entities": []}}, "no object 'entities'"),
        ({"7": {"entities": {"1": "x"}}}, "entity '1'"),
        ({"7": {"entities": {"1": {"tokens": 3, "label": "x"}}}}, "must be texts"),
        ({"7": {"entities": {"1": {"tokens": "x", "label": "x", "relations": ["a"]}}}}, "must be texts"),
        ({"7": raw(("tube", PRESENT, [["located_at", "9"]]))}, "no entity"),
    ],
)
def test_annotations_of_another_form_are_refused(data: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_annotations(data, where="FILE")
