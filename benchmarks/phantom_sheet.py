"""Contact sheets of the phantom's films, for looking at, and how long one film takes to draw.

`films.png`: N films of invented patients with random signs, each titled with its view and findings.
`signs.png` and `signs_lateral.png`: one kind of sign in each row: the normal film, then severity 0.3, 0.6 and 0.9.

    python benchmarks/phantom_sheet.py --out sheets --films 40 --size 512
    python benchmarks/phantom_sheet.py --out sheets --films 0 --kinds meniscus,band --boxes
    python benchmarks/phantom_sheet.py --out sheets --films 0 --no-signs --speed speed.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from _common import write_json
from hilum.core.imaging import Image, View
from hilum.core.rng import rng_for
from hilum.datasets._phantom.draw import draw
from hilum.datasets._phantom.film import KINDS, PLACES, Anatomy, Film, Sign, anatomy_for, visible

Tile = NDArray[np.uint8]
SEVERITIES = (0.3, 0.6, 0.9)
ALL_KINDS = tuple((finding, kind) for finding, kinds in KINDS.items() for kind in kinds)
LYING = ("veil", "deep sulcus")


def random_film(seed: int) -> Film:
    """A film with none to three signs; bedside films have tubes and lines."""
    rng = rng_for(seed, "sheet")
    view = (View.PA, View.AP, View.PA, View.LATERAL)[seed % 4]
    kinds = [ALL_KINDS[int(i)] for i in rng.choice(len(ALL_KINDS), int(rng.integers(0, 4)), replace=False)]
    devices = tuple(KINDS)[-1]
    if view is View.AP:
        kinds += [(devices, KINDS[devices][int(i)]) for i in rng.choice(8, 2, replace=False)]
    signs = []
    for finding, kind in kinds:
        where, heights = PLACES.get(kind, (("",), ("",)))
        side, zone = where[int(rng.integers(len(where)))], heights[int(rng.integers(len(heights)))]
        signs.append(Sign(finding, kind, side, zone, float(rng.uniform(0.35, 1.0)), int(rng.integers(12))))
    return Film(
        view=view,
        anatomy=anatomy_for(rng),
        signs=tuple(signs),
        rotation_degrees=float(rng.normal(0, 3)),
        inspiration=float(rng.uniform(0.3, 1.0)),
        exposure=float(rng.uniform(0.88, 1.12)),
        noise=float(rng.uniform(0.1, 0.8)),
        supine=view is View.AP and bool(rng.random() < 0.7),
        seed=seed,
    )


def tile(image: Image, title: str, *, boxes: bool) -> Tile:
    """An image in colour, with its title below and its boxes if wanted."""
    assert image.pixels is not None
    grey = np.rint(image.pixels[0] * 255).astype(np.uint8)
    size = len(grey)
    colour = np.dstack([grey, grey, grey])
    for box in image.boxes if boxes else ():
        cv2.rectangle(colour, (int(box.x0), int(box.y0)), (int(box.x1), int(box.y1)), (0, 200, 255), 1)
    strip = np.zeros((44, size, 3), np.uint8)
    words = title.split(" | ")
    for i, line in enumerate((words[0], " | ".join(words[1:]))):
        cv2.putText(
            strip,
            line[:90],
            (4, 17 + 20 * i),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.42,
            (120, 255, 120),
            1,
            cv2.LINE_AA,
        )
    return np.vstack([colour, strip])


def sheet(tiles: Sequence[Tile], columns: int) -> Tile:
    """Tiles in rows; empty places are black."""
    rows = []
    for start in range(0, len(tiles), columns):
        row = list(tiles[start : start + columns])
        row += [np.zeros_like(row[0])] * (columns - len(row))
        rows.append(np.hstack(row))
    return np.vstack(rows)


def film_tiles(n: int, *, size: int, seed: int, boxes: bool) -> list[Tile]:
    """`n` random films, titled with view and findings."""
    tiles = []
    for i in range(n):
        film = random_film(seed + i)
        shown = [s for s in film.signs if visible(s, film.view)]
        said = [f"{s.finding}: {s.kind} {s.side} {s.zone} {s.severity:.1f}".replace("  ", " ") for s in shown]
        lying = ", lying" if film.supine else ""
        title = " | ".join([f"{seed + i} {film.view.value}{lying}", *(said or ["normal"])])
        tiles.append(tile(draw(film, size=size), title, boxes=boxes))
        print(f"film {i + 1} of {n}", end="\r")
    return tiles


def sign_tiles(kinds: Sequence[tuple[str, str]], view: View, *, size: int, boxes: bool) -> list[Tile]:
    """Four tiles per kind: normal, then each severity."""
    tiles = []
    for finding, kind in kinds:
        number = ALL_KINDS.index((finding, kind))
        where, heights = PLACES.get(kind, (("",), ("",)))
        base = Film(view=view, anatomy=Anatomy(pattern=number), supine=kind in LYING, seed=number)
        if not visible(Sign(finding, kind), view):
            continue
        tiles.append(tile(draw(base, size=size), "normal", boxes=False))
        for i, severity in enumerate(SEVERITIES):
            side, zone = where[i % len(where)], heights[i % len(heights)]
            film = replace(base, signs=(Sign(finding, kind, side, zone, severity, number + i),))
            title = f"{finding} | {kind} {side} {zone} {severity}"
            tiles.append(tile(draw(film, size=size), title, boxes=boxes))
    return tiles


def measure(repeats: int) -> dict[str, Any]:
    """Milliseconds a film on one core, by view, width and number of signs: the median and the fastest tenth."""
    cv2.setNumThreads(1)
    results: dict[str, Any] = {}
    for view in (View.PA, View.AP, View.LATERAL):
        for size, n in ((256, repeats), (512, repeats // 4), (1024, repeats // 12)):
            films = [replace(random_film(i), view=view) for i in range(n)]
            draw(films[0], size=size)
            spent, busy = [], time.process_time()
            for film in films:
                start = time.perf_counter()
                draw(film, size=size)
                spent.append(1000 * (time.perf_counter() - start))
            processor = 1000 * (time.process_time() - busy) / n
            low, middle = np.quantile(spent, [0.1, 0.5])
            results[f"{view.value} {size}"] = {
                "median_ms": round(float(middle), 2),
                "fast_ms": round(float(low), 2),
                "processor_ms": round(processor, 2),
                "films": n,
            }
            print(
                f"{view.value} {size} px: median {middle:.1f} ms, fastest tenth {low:.1f} ms, "
                f"mean processor time {processor:.1f} ms, {n} films"
            )
    return results


def main() -> None:
    """Write the sheets that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--boxes", action="store_true", help="draw the boxes")
    parser.add_argument("--kinds", default="", help="only these kinds of sign, with commas between")
    parser.add_argument("--no-signs", action="store_true", help="no sheets of single signs")
    parser.add_argument("--speed", type=Path, help="measure the time per film and write it to this JSON file")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.films:
        tiles = film_tiles(given.films, size=given.size, seed=given.seed, boxes=given.boxes)
        cv2.imwrite(str(given.out / "films.png"), sheet(tiles, given.columns))
    wanted = given.kinds.split(",") if given.kinds else [kind for _, kind in ALL_KINDS]
    kinds = [pair for pair in ALL_KINDS if pair[1] in wanted]
    for view, name in () if given.no_signs else ((View.PA, "signs.png"), (View.LATERAL, "signs_lateral.png")):
        tiles = sign_tiles(kinds, view, size=given.size, boxes=given.boxes)
        if tiles:
            cv2.imwrite(str(given.out / name), sheet(tiles, 4))
    if given.speed:
        write_json(given.speed, "phantom_sheet", measure(240))


if __name__ == "__main__":
    main()
