"""F1 of the entities and relations of two annotations of the kind of RadGraph (Jain et al. 2021).

The three levels are those of F1RadGraph (Delbrouck et al. 2022, "Improving the Factual Correctness of Radiology
Report Generation with Semantic Rewards"). An annotation becomes a set of items, and the F1 of two sets counts
the items they share:

- simple: (tokens, label) of each entity;
- partial: (tokens, label, whether it is the source of any relation);
- complete: (tokens, label, relation, tokens of its target) for each relation, and (tokens, label) of each
  entity that is the source of none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError

LEVELS = ("simple", "partial", "complete")
"""From entities alone to entities with all their relations."""


class Entity(NamedTuple):
    """One entity: its words, its label ("Observation::definitely absent"), and (relation, target id) pairs."""

    tokens: str
    label: str
    relations: tuple[tuple[str, str], ...] = ()


Annotation = Mapping[str, Entity]
"""The entities of one report by their id."""


@dataclass(frozen=True)
class EntityPreset:
    """One way to compare: `fold_case` ignores case; `both_empty` is the value when neither has an entity."""

    name: str
    fold_case: Literal["all", "relations"]
    both_empty: float
    text: str


PRESETS: Mapping[str, EntityPreset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            EntityPreset(
                "case-ignored",
                "all",
                float("nan"),
                "Upper and lower case are the same. A pair in which neither report has an entity is not defined "
                "and left out of the mean, which says so.",
            ),
            EntityPreset(
                "f1radgraph",
                "relations",
                0.0,
                "As F1RadGraph 0.1.18: entities are compared with their case, relations without it, and a pair "
                "in which either report has no entity is 0.",
            ),
        )
    }
)
"""All presets by name."""


def get_preset(name: str) -> EntityPreset:
    """The preset called `name`. Raises UnknownNameError, with the nearest name."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]


def entity_f1(
    reference: Annotation, candidate: Annotation, *, level: str = "complete", preset: str = "case-ignored"
) -> float:
    """The F1 of one pair in [0, 1]: 0 when one has no entity; NaN or 0 by the preset when both have none."""
    rule = get_preset(preset)
    if not reference and not candidate:
        return rule.both_empty
    if not reference or not candidate:
        return 0.0
    ours, theirs = items(candidate, level=level, preset=preset), items(reference, level=level, preset=preset)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


def entity_f1_all(
    references: Sequence[Annotation],
    candidates: Sequence[Annotation],
    *,
    level: str = "complete",
    preset: str = "case-ignored",
) -> npt.NDArray[np.float64]:
    """The F1 of each of N pairs, float64 [N]."""
    pairs = zip(references, candidates, strict=True)
    return np.array([entity_f1(r, c, level=level, preset=preset) for r, c in pairs], dtype=np.float64)


def items(annotation: Annotation, *, level: str, preset: str = "case-ignored") -> set[tuple[object, ...]]:
    """The set that is compared at a level. Raises UnknownNameError for a level that does not exist."""
    if level not in LEVELS:
        raise UnknownNameError("level", level, LEVELS)
    everywhere = get_preset(preset).fold_case == "all"
    found: set[tuple[object, ...]] = set()
    for entity in annotation.values():
        tokens = entity.tokens.casefold() if everywhere else entity.tokens
        if level == "simple" or not entity.relations:
            found.add((tokens, entity.label))
        elif level == "partial":
            found.add((tokens, entity.label, True))
        else:
            source = entity.tokens.casefold()
            found |= {
                (source, entity.label, relation, annotation[target].tokens.casefold())
                for relation, target in entity.relations
            }
    return found


def read_annotations(data: object, *, where: str) -> dict[str, Annotation]:
    """Annotations by report, from what the radgraph package gives (and the RadGraph data set's json).

    `data` is {key: {"entities": {id: {"tokens", "label", "relations": [[type, id], ...]}}}}. Raises
    InputError that names the report and entity that is not of that form.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: {_kind(data)} where an object of annotations by report belongs. {_FORM}")
    return {str(key): _annotation(value, f"{where}, report {str(key)!r}") for key, value in data.items()}


_FORM = (
    'Next step: write {"0": {"entities": {"1": {"tokens": ..., "label": ..., "relations": [[type, id], ...]}}}}, '
    "as the radgraph package does."
)


def _annotation(value: object, where: str) -> Annotation:
    entities = value.get("entities") if isinstance(value, Mapping) else None
    if not isinstance(entities, Mapping):
        raise InputError(f"{where}: there is no object 'entities'. {_FORM}")
    read = {str(key): _entity(entity, f"{where}, entity {str(key)!r}") for key, entity in entities.items()}
    for key, entity in read.items():
        for relation, target in entity.relations:
            if target not in read:
                raise InputError(
                    f"{where}, entity {key!r}: the relation {relation!r} goes to {target!r}, which is no entity "
                    f"of this report. {_FORM}"
                )
    return read


def _entity(value: object, where: str) -> Entity:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {_kind(value)} where an object belongs. {_FORM}")
    texts = [value.get(name) for name in ("tokens", "label")]
    relations = value.get("relations") or []
    pairs = isinstance(relations, list) and all(
        isinstance(r, list | tuple) and len(r) == 2 for r in relations
    )
    if not all(isinstance(text, str) for text in texts) or not pairs:
        raise InputError(f"{where}: tokens and label must be texts, and relations pairs. {_FORM}")
    return Entity(str(texts[0]), str(texts[1]), tuple((str(kind), str(to)) for kind, to in relations))


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
