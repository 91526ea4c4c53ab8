"""Entity-and-relation F1 of annotations that the `radgraph` package makes, where it and its weights are there.

The package is no dependency of hilum: it fetches its weights from a hub when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.metrics.entities import Annotation, get_preset, read_annotations
from hilum.scorers._base import References, Tick, check_pairs, one_each
from hilum.scorers._graph import graph_scores

_NEXT = (
    "Next step: pip install radgraph, and run it once where it can fetch its weights; or annotate elsewhere and "
    "give --metrics entities with --annotations-references and --annotations-candidates."
)
_BATCH = 64

Annotate = Callable[[list[str]], Mapping[str, object]]


class RadGraph:
    """Gives radgraph_simple, radgraph_partial and radgraph_complete."""

    name = "radgraph"
    version = "1"
    higher_is_better = True
    lowest, highest = 0.0, 1.0
    clinical = True
    plain = False

    def __init__(self, annotate: Annotate, preset: str, model: str) -> None:
        get_preset(preset)
        self._annotate = annotate
        self._preset = preset
        self.preset = f"{preset}, {model}"

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """One score per level; each distinct text is annotated once."""
        check_pairs(references, candidates)
        wanted = one_each(references, scorer=self.name)
        texts = list(dict.fromkeys(text for text in (*wanted, *candidates) if text.strip()))
        made: dict[str, Annotation] = {}
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            read = read_annotations(self._annotate(batch), where="the radgraph package")
            made |= {text: read[str(i)] for i, text in enumerate(batch)}
            if progress is not None:
                progress(min(start + _BATCH, len(texts)) * len(candidates) // len(texts), len(candidates))
        sides = [[made.get(text, {}) for text in given] for given in (wanted, candidates)]
        return graph_scores(self, sides[0], sides[1], preset=self._preset, per_sample=per_sample)


def build(*, entity_preset: str = "case-ignored", radgraph_model: str = "modern-radgraph-xl") -> RadGraph:
    """The scorer. Raises InputError when the package or its weights are not there."""
    try:
        package: Any = importlib.import_module("radgraph")
    except ImportError as error:
        raise InputError(f"The score 'radgraph' needs the package 'radgraph' ({error}). {_NEXT}") from error
    try:
        annotate = package.RadGraph(model_type=radgraph_model)
    except Exception as error:
        raise InputError(
            f"The radgraph package could not load {radgraph_model!r}: {type(error).__name__}: {error}. {_NEXT}"
        ) from error
    return RadGraph(annotate, entity_preset, radgraph_model)
