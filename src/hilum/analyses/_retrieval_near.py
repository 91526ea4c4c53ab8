"""The similar reports of each test report: by its images or by its words, never of its patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hilum.analyses._retrieval_inputs import RetrievalStudy, Sets, marks_of, text_of
from hilum.analyses._retrieval_store import Kept
from hilum.core.errors import ImageError, InputError
from hilum.core.imaging import Image
from hilum.datasets._sources import StudySet
from hilum.models.retrieval import Nearest, Row, build_index
from hilum.models.text_neighbours import Shot, few_shot_neighbours

if TYPE_CHECKING:
    from hilum.models.image_embedding import ImageEmbedder

KINDS = ("study", "patient", "text", "image")
"""Why a report of the datastore is never appended: it shares this with the test report."""

_PART = 256
_SHOWN = 5
_BY_TEXT = "words: TF-IDF of words and pairs of words"

Tell = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class Similar:
    """The neighbours of each test study that could be used, `nearest` in the order of `test`.

    `damaged` lists images with their reasons, `images` counts those that are used, and `digests` are of those of each
    study, by set.
    """

    sets: Sets
    test: StudySet
    stored: StudySet
    nearest: tuple[Nearest, ...]
    how: str
    damaged: Mapping[str, tuple[str, ...]]
    told: tuple[str, ...]
    images: Mapping[str, int]
    digests: Mapping[str, Sequence[Sequence[str]]]

    def neighbours(self, place: int) -> list[int]:
        """Places in `stored` of the neighbours of a test study, the most similar first."""
        at = self._place_of
        return [at[one.id] for one in self.nearest[place].neighbours]

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.stored.ids)}


def find_similar(study: RetrievalStudy, sets: Sets, home: Path | None, *, tell: Tell) -> Similar:
    """The `study.k` nearest studies of the datastore for each test study.

    Raises InputError when no image can be used, or the datastore has too few studies.
    """
    found = _by_text(study, sets, tell) if study.text else _by_images(study, sets, home, tell)
    check_leaks(found)
    return found


def check_leaks(found: Similar) -> int:
    """How many pairs of test report and neighbour were looked at. Raises AssertionError if one is of one patient.

    Works from the studies themselves, not from the marks that the search used.
    """
    pairs = 0
    same_ids = found.test.population == found.stored.population
    for place, study in enumerate(found.test.studies):
        for k in found.neighbours(place):
            pairs, other = pairs + 1, found.stored.studies[k]
            shared = same_ids and (
                other.id == study.id or bool(study.patient and study.patient == other.patient)
            )
            if found.digests:
                shared |= not set(found.digests["test"][place]).isdisjoint(found.digests["datastore"][k])
            if shared or text_of(other).split() == text_of(study).split():
                raise AssertionError(f"study {study.id} was given its own patient's report {other.id}")
    return pairs


def _by_text(study: RetrievalStudy, sets: Sets, tell: Tell) -> Similar:
    tell(f"similar words of {len(sets.test):,} reports among {len(sets.datastore):,}")
    shots = [Shot(one.id, text_of(one), marks_of(sets.datastore, one)) for one in sets.datastore.studies]
    marks = [marks_of(sets.test, one) for one in sets.test.studies]
    nearest = few_shot_neighbours([text_of(one) for one in sets.test.studies], shots, study.k, marks=marks)
    return _checked(study, Similar(sets, sets.test, sets.datastore, tuple(nearest), _BY_TEXT, {}, (), {}, {}))


def _by_images(study: RetrievalStudy, sets: Sets, home: Path | None, tell: Tell) -> Similar:
    from hilum.models.image_embedding import load_embedder  # noqa: PLC0415  (loads torch)

    embedder = load_embedder(study.images or "", device=study.device)
    kept = Kept(home, "vectors", embedder.digest)
    pictures = {one.role: _digests(one) for one in (sets.test, sets.datastore)}
    damaged: dict[str, list[str]] = {role: list(bad) for role, (_, bad) in pictures.items()}
    for one in (sets.test, sets.datastore):
        damaged[one.role] += _embed(study, embedder, one, pictures[one.role][0], kept, tell)
    test, test_digests = _usable(sets.test, pictures["test"][0], kept, damaged["test"])
    stored, stored_digests = _usable(sets.datastore, pictures["datastore"][0], kept, damaged["datastore"])
    rows, vectors = [], []
    for owner, names in zip(stored.studies, stored_digests, strict=True):
        rows += [Row(owner.id, marks_of(stored, owner, names))] * len(names)
        vectors += [kept.rows[digest] for digest in names]
    if study.k > len(stored):
        raise InputError(_too_few(study.k, len(stored)))
    tell(f"index of {len(rows):,} images; similar ones of {len(test):,} studies")
    index = build_index(
        np.stack(vectors), rows, approximate=study.approximate, seed=study.seed, threads=study.threads,
        made_by=embedder.digest,
    )  # fmt: skip
    groups = [place for place, names in enumerate(test_digests) for _ in names]
    queries = np.stack([kept.rows[digest] for names in test_digests for digest in names])
    marks = [marks_of(test, one, d) for one, d in zip(test.studies, test_digests, strict=True)]
    nearest = index.search(queries, study.k, marks=marks, groups=groups)
    told = tuple(
        f"{whole.role}: {len(whole) - len(one):,} studies were left out because none of their images could be used"
        for whole, one in ((sets.test, test), (sets.datastore, stored))
        if len(one) < len(whole)
    )
    how = (
        f"images: {embedder.name} ({embedder.kind}, {index.dims} numbers, SHA-256 {embedder.digest[:12]}), "
        f"{'exact' if index.kind == 'exact' else 'approximate'} index"
    )
    images = {"test": len(queries), "datastore": len(rows)}
    digests = {"test": test_digests, "datastore": stored_digests}
    bad = {role: tuple(lines) for role, lines in damaged.items()}
    return _checked(study, Similar(sets, test, stored, tuple(nearest), how, bad, told, images, digests))


def _checked(study: RetrievalStudy, found: Similar) -> Similar:
    """Raises InputError when a test study has fewer neighbours than asked for."""
    short = [
        (name, len(near.neighbours))
        for name, near in zip(found.test.ids, found.nearest, strict=True)
        if len(near.neighbours) < study.k
    ]
    if short:
        name, count = short[0]
        raise InputError(
            f"{len(short):,} test studies have fewer than {study.k} reports of other patients to append; {name} has "
            f"{count}. Next step: a smaller --k, or a larger datastore."
        )
    return found


def _too_few(k: int, count: int) -> str:
    return (
        f"{k} similar reports were asked for, and the datastore has {count:,} that can be used. Next step: a smaller "
        "--k, or a larger datastore."
    )


def _digests(one: StudySet) -> tuple[list[list[str | None]], list[str]]:
    """The digest of each image of each study, None for one that cannot be read, and why it cannot."""
    from hilum.models.image_embedding import image_digest  # noqa: PLC0415  (loads torch)

    bad: list[str] = []
    digests: list[list[str | None]] = []
    for study in one.studies:
        digests.append([])
        for image in study.images:
            try:
                digests[-1].append(image_digest(image))
            except ImageError as error:
                digests[-1].append(None)
                bad.append(f"{study.id}: {error}")
    return digests, bad


def _embed(
    study: RetrievalStudy,
    embedder: ImageEmbedder,
    one: StudySet,
    digests: Sequence[Sequence[str | None]],
    kept: Kept,
    tell: Tell,
) -> list[str]:
    """Vectors of the images of a set that are not kept yet, part by part; the reasons of those that have none."""
    from hilum.models.image_embedding import embed_images  # noqa: PLC0415  (loads torch)

    todo: dict[str, Image] = {}
    owners: dict[str, list[str]] = {}
    for owner, names in zip(one.studies, digests, strict=True):
        for image, digest in zip(owner.images, names, strict=True):
            if digest is not None and digest not in kept.rows:
                todo.setdefault(digest, image)
                owners.setdefault(digest, []).append(owner.id)
    known = sum(digest in kept.rows for names in digests for digest in names if digest)
    tell(f"{one.role}: {len(todo):,} images to embed, {known:,} are known")
    failed: list[str] = []
    every = list(todo.items())
    for start in range(0, len(every), _PART):
        part = every[start : start + _PART]
        found = embed_images(
            embedder, [image for _, image in part], batch_size=study.batch_size, workers=study.workers
        )
        kept.add({part[p][0]: row for p, row in zip(found.places.tolist(), found.vectors_ND, strict=True)})
        failed += [f"{owner}: {bad.why}" for bad in found.failed for owner in owners[part[bad.place][0]]]
        if len(every) > _PART:
            tell(f"{one.role}: {min(start + _PART, len(every)):,} of {len(every):,} images")
    return failed


def _usable(
    one: StudySet, digests: Sequence[Sequence[str | None]], kept: Kept, why: Sequence[str]
) -> tuple[StudySet, list[list[str]]]:
    """The studies with an image that has a vector, and the digests of these images. Raises InputError for none."""
    good = {
        study.id: list(dict.fromkeys(digest for digest in names if digest in kept.rows and digest))
        for study, names in zip(one.studies, digests, strict=True)
    }
    ids = [name for name, names in good.items() if names]
    if not ids:
        total = sum(map(len, digests))
        raise InputError(
            f"--{one.role} {one.source.said}: none of its {total:,} images can be used. "
            + " ".join(f"{line}" for line in why[:_SHOWN])
            + " Next step: hilum doctor NAME --root DIR says what is there."
        )
    return one.keep(ids), [good[name] for name in ids]
