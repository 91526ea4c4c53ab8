"""The nearest vectors by cosine similarity, with FAISS: exact, or by cells where there are very many.

What may not be found (the report itself, its patient) is said by marks: a row that shares a mark with the query is
passed over and counted, however many of them stand in front. Source: Johnson et al. 2021, Billion-scale similarity
search with GPUs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, OutputError
from hilum.core.version import VERSION
from hilum.models._vectors import Floats, digest_of, faiss_module, threads_of_faiss, unit

EXACT_UP_TO = 200_000
"""With more vectors than this an index is approximate, unless asked for otherwise."""

INDEX, ROWS, ABOUT = "index.faiss", "rows.jsonl", "index.json"
"""Files of a saved index: FAISS's own, the ids and marks of its rows, and what it is."""

_FORMAT, _FORMAT_VERSION = "hilum vector index", 1
_DIGITS = 6
_BLOCK_CELLS = 4_000_000
_MORE = 16
_AT_ONCE = 8_192
_NOISE = 5e-6
_MOST_TRAINED = 64
"""Vectors by cell that the cells are learned from."""

Progress = Callable[[int, int], object]


class Row(NamedTuple):
    """What a vector is of: an id, and marks "KIND VALUE" of what it must not be found by.

    Several vectors may have one id (the images of a study); it is found once, by the most similar of them.
    """

    id: str
    marks: tuple[str, ...] = ()


class Neighbour(NamedTuple):
    """A row that was found: its id, its place in the index and its cosine similarity."""

    id: str
    place: int
    similarity: float


class Nearest(NamedTuple):
    """The nearest ids of one query, the most similar first; how many nearer ones were passed over, by kind of mark."""

    neighbours: tuple[Neighbour, ...]
    passed_over: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """Vectors of unit length and what they are of. `kind` is exact or cells; `made_by` says what made the vectors."""

    index: Any
    rows: tuple[Row, ...]
    kind: str
    made_by: str = ""
    threads: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dims(self) -> int:
        """Numbers of a vector."""
        return int(self.index.d)

    def search(
        self,
        queries_QD: npt.NDArray[np.floating[Any]],
        k: int,
        *,
        marks: Sequence[Collection[str]] = (),
        groups: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> list[Nearest]:
        """The `k` nearest ids of each query that share no mark with it; fewer only where there are no more.

        `groups` [Q] numbers queries, from 0, that count as one (several images of one study): the similarity of an id
        is then the greatest of theirs. `marks` are those of each group. Similarities are rounded to six decimals, and
        equal ones are ordered by their place in the index, so that batches change nothing.

        Raises InputError for `k` below 1, vectors that do not fit, and marks that do not fit the queries.
        """
        vectors_QD = self._queries(queries_QD, k)
        group_Q = np.arange(len(vectors_QD)) if groups is None else np.asarray(groups, dtype=np.intp)
        count = int(group_Q.max(initial=-1)) + 1
        barred = [frozenset(one) for one in marks] if marks else [frozenset[str]()] * count
        if len(group_Q) != len(vectors_QD) or len(barred) != count:
            raise InputError(
                f"{len(vectors_QD)} queries, {len(group_Q)} groups and {len(barred)} sets of marks do not fit."
            )
        found: list[Nearest | None] = [None] * count
        wanted, done = min(2 * k + _MORE, len(self)), 0
        with threads_of_faiss(self.threads):
            while None in found:
                last = wanted >= len(self)
                for group, near in self._round(vectors_QD, group_Q, found, wanted, last):
                    picked = self._pick(near, barred[group], k, last=last)
                    found[group] = picked
                    done += picked is not None
                    if progress is not None and picked is not None:
                        progress(done, count)
                wanted = min(wanted * 8, len(self))
        return [one for one in found if one is not None]

    def save(self, folder: str | Path) -> Path:
        """Write the index into `folder` (made when it is not there): three files, nothing pickled.

        Raises OutputError when it cannot be written.
        """
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / ABOUT).unlink(missing_ok=True)
            (path / INDEX).write_bytes(faiss_module().serialize_index(self.index).tobytes())
            lines = "".join(json.dumps([row.id, *row.marks]) + "\n" for row in self.rows)
            (path / ROWS).write_text(lines, encoding="utf-8", newline="\n")
            about = {
                "format": _FORMAT, "format_version": _FORMAT_VERSION, "hilum": VERSION, "kind": self.kind,
                "dims": self.dims, "rows": len(self), "made_by": self.made_by,
                "sha256": {name: digest_of(path / name) for name in (INDEX, ROWS)},
            }  # fmt: skip
            (path / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {error}. Next step: name another folder."
            ) from error
        return path

    def _queries(self, queries_QD: npt.NDArray[np.floating[Any]], k: int) -> Floats:
        if k < 1:
            raise InputError(f"At least 1 neighbour must be asked for; got {k}.")
        ids = len({row.id for row in self.rows})
        if k > ids:
            raise InputError(
                f"{k} neighbours were asked for, and the datastore has {ids:,}. Next step: a smaller k, or a larger "
                "datastore."
            )
        vectors = unit(queries_QD, "query")
        if vectors.shape[1] != self.dims:
            raise InputError(
                f"The queries have {vectors.shape[1]} numbers each and the index {self.dims}. Next step: make both "
                "with the same model."
            )
        return vectors

    def _round(
        self,
        vectors_QD: Floats,
        group_Q: npt.NDArray[np.intp],
        found: Sequence[Nearest | None],
        wanted: int,
        last: bool,
    ) -> Iterator[tuple[int, list[tuple[list[float], list[int]]]]]:
        """For each group without an answer: similarities and places of the `wanted` nearest of each of its rows."""
        open_groups = [group for group, one in enumerate(found) if one is None]
        rows_of: dict[int, list[int]] = {group: [] for group in open_groups}
        for row, group in enumerate(group_Q.tolist()):
            if group in rows_of:
                rows_of[group].append(row)
        size = max(1, _BLOCK_CELLS // max(wanted, 1))
        block: list[int] = []
        for place, group in enumerate(open_groups):
            block.append(group)
            rows = [row for one in block for row in rows_of[one]]
            if len(rows) < size and place + 1 < len(open_groups):
                continue
            lists = iter(self._top(vectors_QD[rows], wanted, every=last))
            for one in block:
                yield one, [next(lists) for _ in rows_of[one]]
            block = []

    def _top(self, vectors_RD: Floats, wanted: int, *, every: bool) -> list[tuple[list[float], list[int]]]:
        options = {}
        if every and self.kind == "cells":
            options = {"params": faiss_module().SearchParametersIVF(nprobe=int(self.index.nlist))}
        _, places_RM = self.index.search(vectors_RD, wanted, **options)
        lists = []
        for vector, places in zip(vectors_RD, places_RM, strict=True):
            kept = np.sort(places[places >= 0])
            scores = self._similarities(vector, kept)
            order = np.argsort(-scores, kind="stable")
            lists.append((scores[order].tolist(), kept[order].tolist()))
        return lists

    def _similarities(self, vector_D: Floats, places_M: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Worked out again in float64: what FAISS gives differs in the seventh digit from batch to batch."""
        parts = [
            self.index.reconstruct_batch(places_M[start : start + _AT_ONCE]).astype(np.float64)
            @ vector_D.astype(np.float64)
            for start in range(0, len(places_M), _AT_ONCE)
        ]
        return np.concatenate(parts).round(_DIGITS) if parts else np.empty(0)

    def _pick(
        self, near: Sequence[tuple[list[float], list[int]]], barred: frozenset[str], k: int, *, last: bool
    ) -> Nearest | None:
        """The answer, or None when farther rows are needed to be sure of it."""
        floor = -np.inf if last else max(scores[-1] if scores else np.inf for scores, _ in near)
        found: dict[str, Neighbour] = {}
        over: dict[str, tuple[float, set[str]]] = {}
        merged = sorted(
            (-score, place) for scores, places in near for score, place in zip(scores, places, strict=True)
        )
        for minus, place in merged:
            row = self.rows[place]
            if -minus <= floor + _NOISE and not last:
                break
            shared = barred.intersection(row.marks)
            if shared:
                over.setdefault(row.id, (-minus, set()))[1].update(m.split(" ", 1)[0] for m in shared)
            elif row.id not in found:
                found[row.id] = Neighbour(row.id, place, -minus)
                if len(found) == k:
                    break
        if len(found) < k and not last:
            return None
        return Nearest(
            tuple(found.values()), Counter(kind for _, kinds in over.values() for kind in sorted(kinds))
        )


def build_index(
    vectors_ND: npt.NDArray[np.floating[Any]],
    rows: Sequence[Row],
    *,
    approximate: bool | None = None,
    cells: int | None = None,
    probes: int | None = None,
    seed: int = 0,
    threads: int = 1,
    made_by: str = "",
) -> VectorIndex:
    """An index of vectors [N, D], which are brought to unit length: inner products are cosine similarities.

    Exact (IndexFlatIP) up to `EXACT_UP_TO` vectors, else (or with `approximate`) by cells (IndexIVFFlat): `cells` of
    them, about four times the root of N, learned by k-means from `seed`, of which a search looks into `probes`, one
    in 32. The same vectors give the same index for the same number of `threads`.

    Raises InputError for no vectors, vectors that are not finite or 0, and rows that do not fit; MissingExtraError
    without FAISS.
    """
    vectors = unit(vectors_ND, "vector", [row.id for row in rows])
    faiss, dims = faiss_module(), vectors.shape[1]
    inexact = len(vectors) > EXACT_UP_TO if approximate is None else approximate
    with threads_of_faiss(threads):
        if not inexact:
            index = faiss.IndexFlatIP(dims)
        else:
            count = max(1, min(cells or round(4 * len(vectors) ** 0.5), len(vectors)))
            index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dims), dims, count, faiss.METRIC_INNER_PRODUCT)
            index.cp.seed = seed + 1
            index.cp.spherical, index.cp.min_points_per_centroid = True, 1
            index.cp.max_points_per_centroid = _MOST_TRAINED
            index.nprobe = min(count, probes or max(1, count // 32))
            index.train(vectors)
        index.add(vectors)
        if inexact:
            index.make_direct_map()
    return VectorIndex(index, tuple(rows), "cells" if inexact else "exact", made_by, threads)


def load_index(folder: str | Path, *, threads: int = 1) -> VectorIndex:
    """The index that `VectorIndex.save` wrote. Raises InputError when it is none, or its files are not whole."""
    path = Path(folder)
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        if about.get("format") != _FORMAT or about.get("format_version") != _FORMAT_VERSION:
            raise ValueError(f"its format is {about.get('format')!r} {about.get('format_version')!r}")
        for name in (INDEX, ROWS):
            if digest_of(path / name) != about["sha256"][name]:
                raise ValueError(f"{name} is not what was written")
        lines = (path / ROWS).read_text(encoding="utf-8").split("\n")[:-1]
        rows = tuple(Row(one[0], tuple(one[1:])) for one in map(json.loads, lines))
        content = np.frombuffer((path / INDEX).read_bytes(), dtype=np.uint8)
        index = faiss_module().deserialize_index(content)
        if (index.ntotal, index.d) != (len(rows), about["dims"]):
            raise ValueError(f"{index.ntotal} vectors of {index.d} numbers do not fit {len(rows)} rows")
        return VectorIndex(index, rows, str(about["kind"]), str(about["made_by"]), threads)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} is no vector index of hilum: {said}. Next step: build it anew with build_index(...).save(folder)."
        ) from error
