"""The scorers of entities: from given annotations, and from a package that is made up here."""

from __future__ import annotations

import json
import math
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from hilum.core.errors import InputError
from hilum.scorers import get_scorer

LABELS = {True: "Observation::definitely present", False: "Observation::definitely absent"}


def annotated(text: str) -> dict[str, Any]:
    words = text.lower().rstrip(".").split()
    found = [w for w in words if w in ("effusion", "edema")]
    return {
        "text": text,
        "entities": {
            str(i): {"tokens": w, "label": LABELS["no" not in words], "relations": []}
            for i, w in enumerate(found, start=1)
        },
    }


REFERENCES = ["No effusion.", "Edema.", "Normal."]
CANDIDATES = ["Effusion.", "Edema.", "Clear."]


def given(texts: list[str], keys: list[str] | None = None) -> dict[str, Any]:
    return {k: annotated(t) for k, t in zip(keys or map(str, range(len(texts))), texts, strict=True)}


def test_annotations_are_found_by_key_or_by_place(tmp_path: Path) -> None:
    keys = ["s9", "s8", "s7"]
    for names in (keys, None):
        files = [tmp_path / "r.json", tmp_path / "c.json"]
        for file, texts in zip(files, (REFERENCES, CANDIDATES), strict=True):
            file.write_text(json.dumps(given(texts, names)), encoding="utf-8")
        scorer = get_scorer("entities", annotations_references=files[0], annotations_candidates=files[1])
        [simple, _, complete] = scorer.score(REFERENCES, CANDIDATES, ids=keys, per_sample=True)
        assert simple.value == complete.value == pytest.approx(0.5)
        assert simple.per_sample is not None
        assert simple.per_sample[:2] == (0.0, 1.0)
        assert math.isnan(simple.per_sample[2])
        assert "1 of 3 pairs have no entity and are left out" in simple.note  # type: ignore[attr-defined]


def test_the_preset_of_f1radgraph_counts_them_as_zero() -> None:
    sides = {"annotations_references": given(REFERENCES), "annotations_candidates": given(CANDIDATES)}
    [simple, *_] = get_scorer("entities", entity_preset="f1radgraph", **sides).score(REFERENCES, CANDIDATES)
    assert simple.value == pytest.approx(1 / 3)
    assert simple.preset == "f1radgraph, given annotations"


def test_missing_annotations_are_counted(tmp_path: Path) -> None:
    sides = {"annotations_references": given(REFERENCES), "annotations_candidates": given(CANDIDATES[:2])}
    with pytest.raises(InputError, match="1 of 3 candidates have no annotation"):
        get_scorer("entities", **sides).score(REFERENCES, CANDIDATES)
    with pytest.raises(InputError, match="--annotations-references"):
        get_scorer("entities")
    bad = tmp_path / "bad.json"
    bad.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not JSON"):
        get_scorer("entities", annotations_references=bad, annotations_candidates=bad)
    with pytest.raises(InputError, match="There is no file"):
        get_scorer("entities", annotations_references=tmp_path / "x", annotations_candidates=bad)


def test_radgraph_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "radgraph", None)
    with pytest.raises(
        InputError, match=r"needs the package 'radgraph'.*pip install radgraph.*--metrics entities"
    ):
        get_scorer("radgraph")


def test_radgraph_without_weights_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    package: Any = types.ModuleType("radgraph")

    def refuse(**_: object) -> None:
        raise OSError("no network")

    package.RadGraph = refuse
    monkeypatch.setitem(sys.modules, "radgraph", package)
    with pytest.raises(InputError, match=r"could not load 'modern-radgraph-xl': OSError: no network"):
        get_scorer("radgraph")


def test_radgraph_scores_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    package: Any = types.ModuleType("radgraph")
    calls: list[int] = []

    def annotate(texts: list[str]) -> dict[str, Any]:
        calls.append(len(texts))
        return given(texts)

    package.RadGraph = lambda model_type: annotate
    monkeypatch.setitem(sys.modules, "radgraph", package)
    [simple, *_] = get_scorer("radgraph").score([*REFERENCES, "Edema."], [*CANDIDATES, ""])
    assert simple.name == "radgraph_simple"
    assert simple.value == pytest.approx(1 / 3)
    assert calls == [5]
