"""Entity-and-relation F1 of annotations that were made before, e.g. by the radgraph package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from hilum.core.errors import InputError
from hilum.core.records import Score
from hilum.metrics.entities import Annotation, get_preset, read_annotations
from hilum.scorers._base import References, Tick, check_pairs
from hilum.scorers._graph import graph_scores

Given = str | Path | Mapping[str, object]
"""A json file of annotations by report, or what stands in it."""

_SHOWN = 3


class Entities:
    """Gives entities_simple, entities_partial and entities_complete. The texts themselves are not read."""

    name = "entities"
    version = "1"
    higher_is_better = True
    lowest, highest = 0.0, 1.0
    clinical = True
    plain = True

    def __init__(self, references: Given, candidates: Given, preset: str) -> None:
        get_preset(preset)
        self._references = _load(references, "the annotations of the references")
        self._candidates = _load(candidates, "the annotations of the candidates")
        self._preset = preset
        self.preset = f"{preset}, given annotations"

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        per_sample: bool = False,
        progress: Tick | None = None,  # noqa: ARG002  (done at once)
    ) -> list[Score]:
        """One score per level. Annotations are found by `ids`, else by "0", "1", ... in the order of rows.

        Raises InputError when a sample has no annotation.
        """
        check_pairs(references, candidates)
        keys = [str(i) for i in range(len(candidates))] if ids is None else list(ids)
        sides = [
            _pick(given, keys, what)
            for given, what in ((self._references, "references"), (self._candidates, "candidates"))
        ]
        return graph_scores(self, sides[0], sides[1], preset=self._preset, per_sample=per_sample)


def _load(given: Given, where: str) -> dict[str, Annotation]:
    if isinstance(given, Mapping):
        return read_annotations(given, where=where)
    try:
        data = json.loads(Path(given).read_bytes())
    except FileNotFoundError:
        raise InputError(f"There is no file {given}. Next step: check the path.") from None
    except ValueError as error:
        raise InputError(f"{given} is not JSON: {error}. Next step: check how it was written.") from error
    return read_annotations(data, where=str(given))


def _pick(given: Mapping[str, Annotation], keys: Sequence[str], what: str) -> list[Annotation]:
    """The annotations of these samples: by key, or by place when annotations are numbered "0", "1", ..."""
    missing = [key for key in keys if key not in given]
    numbers = [str(i) for i in range(len(keys))]
    if missing and len(given) == len(keys) and all(number in given for number in numbers):
        return [given[number] for number in numbers]
    if missing:
        shown = ", ".join(map(repr, missing[:_SHOWN])) + (", ..." if len(missing) > _SHOWN else "")
        raise InputError(
            f"{len(missing):,} of {len(keys):,} {what} have no annotation ({shown}); there are {len(given):,}. "
            'Next step: give one per report, by its key, or "0", "1", ... in the order of rows.'
        )
    return [given[key] for key in keys]


def build(
    *,
    annotations_references: Given | None = None,
    annotations_candidates: Given | None = None,
    entity_preset: str = "case-ignored",
) -> Entities:
    """The scorer; `entity_preset` is a name of `metrics.entities.PRESETS`."""
    if annotations_references is None or annotations_candidates is None:
        raise InputError(
            "The score 'entities' needs annotations of both sides. Next step: give "
            "--annotations-references FILE.json and --annotations-candidates FILE.json, as the radgraph package "
            "writes them, or use --metrics radgraph where that package and its weights are installed."
        )
    return Entities(annotations_references, annotations_candidates, entity_preset)
