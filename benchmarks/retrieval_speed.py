"""Index of 100,000 vectors: seconds to build, queries a second, recall of the approximate one, and a leakage check.

    python benchmarks/retrieval_speed.py [--vectors 100000] [--dims 512] [--queries 1000] [--k 3] [--rounds 3]
        [--threads 1] [--seed 0] [--json OUT]

Vectors are drawn, not of images: "clustered" ones lie around 2,000 centres in a space of 64 directions, as vectors of
images of one kind do; "even" ones are drawn evenly over all directions, which is the worst case of an approximate
index and like no data. Four vectors are of one patient, every tenth text stands twice. Queries are vectors near those
of the index, with study, patient and text of the vector that they are near: what is nearest is always barred. Recall
is the share of the exact index's neighbours that the approximate one finds. The best of the rounds counts. The index
is saved, loaded, and must answer the same.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _common import table_lines, write_json
from hilum.core.rng import rng_for
from hilum.models.retrieval import Nearest, Row, VectorIndex, build_index, load_index

CENTRES, DIRECTIONS, OF_ONE_PATIENT = 2000, 64, 4
HEADER = ("vectors", "index", "build s", "MB", "queries/s", "recall", "passed over", "leaks")
Floats = npt.NDArray[np.float32]


def draw(kind: str, count: int, dims: int, seed: int) -> Floats:
    """Vectors [N, D] of a kind."""
    rng = rng_for(seed, "retrieval-speed", kind)
    if kind == "even":
        return rng.standard_normal((count, dims), dtype=np.float32)
    centres = rng.standard_normal((CENTRES, DIRECTIONS), dtype=np.float32)
    placed = centres[rng.integers(CENTRES, size=count)]
    placed = placed + 0.5 * rng.standard_normal(placed.shape, dtype=np.float32)
    mixed = placed @ rng.standard_normal((DIRECTIONS, dims), dtype=np.float32)
    return np.asarray(mixed + 0.5 * rng.standard_normal(mixed.shape, dtype=np.float32), dtype=np.float32)


def rows_of(count: int) -> list[Row]:
    """A study each; four of one patient; every tenth text is that of the study before."""
    return [
        Row(f"s{i}", (f"study s{i}", f"patient p{i // OF_ONE_PATIENT}", f"text t{i - (i % 10 == 9)}"))
        for i in range(count)
    ]


def leaks(found: Sequence[Nearest], rows: Sequence[Row], marks: Sequence[tuple[str, ...]]) -> int:
    """Neighbours that share a mark with their query; there must be none."""
    return sum(
        bool(set(rows[one.place].marks) & set(barred))
        for nearest, barred in zip(found, marks, strict=True)
        for one in nearest.neighbours
    )


def searched(
    index: VectorIndex, queries: Floats, k: int, marks: Sequence[tuple[str, ...]], rounds: int
) -> tuple[list[Nearest], float]:
    """The neighbours and the queries a second of the best round."""
    best, found = float("inf"), []
    for _ in range(rounds):
        start = time.perf_counter()
        found = index.search(queries, k, marks=marks)
        best = min(best, time.perf_counter() - start)
    return found, len(queries) / best


def measure(kind: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Both indexes of one kind of vectors."""
    vectors = draw(kind, options.vectors, options.dims, options.seed)
    rows = rows_of(options.vectors)
    rng = rng_for(options.seed, "retrieval-speed", "queries", kind)
    near = rng.integers(options.vectors, size=options.queries)
    noise = rng.standard_normal((options.queries, options.dims), dtype=np.float32)
    queries = vectors[near] + 0.3 * vectors.std() * noise
    marks = [rows[place].marks for place in near.tolist()]
    made: list[dict[str, Any]] = []
    exact: list[set[str]] = []
    for approximate in (False, True):
        start = time.perf_counter()
        index = build_index(
            vectors, rows, approximate=approximate, threads=options.threads, seed=options.seed
        )
        built = time.perf_counter() - start
        found, speed = searched(index, queries, options.k, marks, options.rounds)
        with tempfile.TemporaryDirectory() as folder:
            loaded = load_index(index.save(folder), threads=options.threads)
        if loaded.search(queries[:100], options.k, marks=marks[:100]) != found[:100]:
            raise SystemExit("the loaded index answers otherwise")
        ids = [{one.id for one in nearest.neighbours} for nearest in found]
        exact = exact or ids
        made.append(
            {
                "kind": kind,
                "index": index.kind,
                "build_s": built,
                "megabytes": vectors.nbytes / 1e6,
                "queries_per_second": speed,
                "recall": sum(len(a & b) for a, b in zip(exact, ids, strict=True)) / sum(map(len, exact)),
                "passed_over": sum(sum(one.passed_over.values()) for one in found),
                "leaks": leaks(found, rows, marks),
                "complete": all(len(one.neighbours) == options.k for one in found),
            }
        )
    return made


def main() -> None:
    """Measure both kinds of vectors, print the table, and fail when a neighbour leaks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dims", type=int, default=512)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for kind in ("clustered", "even"):
        results += measure(kind, options)
        print(f"{kind} done", flush=True)
    cells = [
        (
            one["kind"], one["index"], f"{one['build_s']:.1f}", f"{one['megabytes']:.0f}",
            f"{one['queries_per_second']:,.0f}", f"{one['recall']:.3f}", f"{one['passed_over']:,}", str(one["leaks"]),
        )
        for one in results
    ]  # fmt: skip
    print("\n".join(table_lines(HEADER, cells)))
    if any(one["leaks"] or not one["complete"] for one in results):
        raise SystemExit("a neighbour leaks, or is missing")
    write_json(options.json, "retrieval_speed", {"options": {**vars(options), "json": None}, "rows": results})


if __name__ == "__main__":
    main()
