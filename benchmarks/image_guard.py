"""How often the guard of images is wrong: false alarms and misses on real images, with Wilson's 95 % intervals.

    python benchmarks/image_guard.py --data DIR [--half test|dev|both] [--fit] [--failures DIR] [--json OUT]

DIR holds, as far as they are there: `nih_1000/` (images/, frontal alone), `covid_notes/` (pairs.csv with the view of
each image), `vqa_rad_chest/` (images/, frontal alone), `openi/` (images/, projections.csv), `dicom/` (two files with
the same stored pixels, one tagged MONOCHROME1). Files are split by the first 32 bits of
the SHA-256 of their names: even goes to `dev`, on which measures, thresholds and weights were chosen, odd to `test`,
on which they are counted. Every image is also measured
inverted, in a black and in a white frame that takes half of the area, as a strip, darker (greys squared) and with less
contrast. Images whose view the data set
does not say are counted apart. `--fit` prints the weights that the development half gives. `--failures` writes a
sheet of the images on which each rule is wrong.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from _common import table_lines, write_json
from hilum.core.imaging import Pixels, View
from hilum.images._opencv import opencv
from hilum.images.guard import Measures, inspect, measure
from hilum.images.read import read_image
from hilum.images.transforms import resize
from hilum.stats.intervals import wilson_interval


class Film(NamedTuple):
    """One image: the data set, its file, and its view as far as the data set says it."""

    source: str
    path: Path
    view: View

    @property
    def half(self) -> str:
        """`dev` or `test`, by the name of the file."""
        return ("dev", "test")[int(hashlib.sha256(self.path.name.encode()).hexdigest()[:8], 16) % 2]


class Case(NamedTuple):
    """What the rules say of one film: kinds of concern as it is, inverted, framed, as a strip, exposed otherwise."""

    film: Film
    upright: frozenset[str]
    inverted: frozenset[str]
    framed: tuple[frozenset[str], frozenset[str]]
    strip: frozenset[str]
    exposed: tuple[frozenset[str], frozenset[str]]
    measures: Measures
    small: Pixels


COVID_VIEWS = {"PA": View.PA, "AP": View.AP, "AP Supine": View.AP, "L": View.LATERAL}
PROJECTIONS = {"Frontal": View.FRONTAL, "Lateral": View.LATERAL}


def films(data: Path) -> Iterator[Film]:
    """All images below the folder, in a fixed order."""
    for folder in ("nih_1000", "vqa_rad_chest"):
        for path in sorted((data / folder / "images").glob("*")):
            yield Film(folder, path, View.FRONTAL)
    pairs = data / "covid_notes" / "pairs.csv"
    if pairs.exists():
        with pairs.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                view = COVID_VIEWS.get(row["view"], View.UNKNOWN)
                yield Film("covid_notes", pairs.parent / row["image"], view)
    views = {}
    projections = data / "openi" / "projections.csv"
    if projections.exists():
        with projections.open(encoding="utf-8", newline="") as file:
            views = {r["filename"].split(".")[0]: PROJECTIONS[r["projection"]] for r in csv.DictReader(file)}
    for path in sorted((data / "openi" / "images").glob("*.png")):
        yield Film("openi", path, views.get(path.stem.removeprefix("CXR"), View.UNKNOWN))


def look(film: Film) -> Case:
    """Everything that is counted of one film."""
    pixels = read_image(film.path).pixels
    inverted = np.float32(1.0) - pixels
    return Case(
        film,
        kinds(pixels),
        kinds(inverted),
        (kinds(framed(pixels, 0.0)), kinds(framed(pixels, 1.0))),
        kinds(pixels[:, : max(1, int(pixels.shape[2] / 2.5))]),
        (kinds(pixels**2), kinds(pixels * np.float32(0.3) + np.float32(0.3))),
        measure(pixels),
        resize(pixels, 128, fit="pad").pixels,
    )


def kinds(pixels: Pixels) -> frozenset[str]:
    """The kinds of concern."""
    return frozenset(c.kind for c in inspect(pixels))


def framed(pixels: Pixels, value: float) -> Pixels:
    """The image in the middle of a frame of one value that takes half of the area."""
    _, height, width = pixels.shape
    down, across = (round(side * (2**0.5 - 1) / 2) for side in (height, width))
    return np.pad(pixels, ((0, 0), (down, down), (across, across)), constant_values=value)


class Line(NamedTuple):
    """One rate: what, of which images, and whether the rule is wrong on a case."""

    what: str
    of: str
    counts: Callable[[Case], bool]
    wrong: Callable[[Case], bool]


def frontal(case: Case) -> bool:
    """The data set says that it is frontal."""
    return case.film.view.is_frontal


def lateral(case: Case) -> bool:
    """The data set says that it is lateral."""
    return case.film.view is View.LATERAL


def of_source(source: str) -> Callable[[Case], bool]:
    """Frontal images of one data set."""
    return lambda case: frontal(case) and case.film.source == source


def exposed(which: int, kind: str, when: bool) -> Callable[[Case], bool]:
    """Whether the kind is said (`when`), or not said, of the image under the other exposure."""
    return lambda case: (kind in case.exposed[which]) == when


def lines(sources: Sequence[str]) -> list[Line]:
    """All rates of the table."""
    known = lambda case: frontal(case) or lateral(case)  # noqa: E731
    groups = [(f"frontal, {source}", of_source(source)) for source in sources]
    groups += [("frontal, all", frontal), ("lateral, all", lateral)]
    found = [Line("inverted: false alarm", name, g, lambda c: "inverted" in c.upright) for name, g in groups]
    found += [Line("inverted: missed", name, g, lambda c: "inverted" not in c.inverted) for name, g in groups]
    found += [
        Line("lateral: false alarm", name, g, lambda c: "lateral" in c.upright) for name, g in groups[:-1]
    ]
    found += [
        Line("lateral: missed", "lateral, all", lateral, lambda c: "lateral" not in c.upright),
        Line("lateral: missed when inverted", "lateral, all", lateral, lambda c: "lateral" not in c.inverted),
        *(
            Line(f"{kind}: {wrong}, {how}", name, group, exposed(i, kind, wrong == "false alarm"))
            for i, how in enumerate(("squared greys", "0.3 of the contrast"))
            for kind, wrong, name, group in (
                ("inverted", "false alarm", "all", known),
                ("lateral", "false alarm", "frontal, all", frontal),
                ("lateral", "missed", "lateral, all", lateral),
            )
        ),
        Line("border: said (no truth known)", "all", known, lambda c: "border" in c.upright),
        Line("border: missed, black frame of half", "all", known, lambda c: "border" not in c.framed[0]),
        Line("border: missed, white frame of half", "all", known, lambda c: "border" not in c.framed[1]),
        Line("size: false alarm", "all", known, lambda c: any("sized" in k for k in c.upright)),
        Line("size: missed, 1 of 2.5 of the width", "all", known, lambda c: not any("sized" in k for k in c.strip)),
        Line("flat: false alarm", "all", known, lambda c: "flat" in c.upright),
        Line("any concern", "frontal, all", frontal, lambda c: bool(c.upright)),
    ]  # fmt: skip
    return found


def rates(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Every rate that has a case, with its interval."""
    found = []
    for line in lines(sorted({c.film.source for c in cases})):
        of = [c for c in cases if line.counts(c)]
        if of:
            wrong = sum(line.wrong(c) for c in of)
            low, high = wilson_interval(wrong, len(of))
            found.append(
                {
                    "what": line.what,
                    "of": line.of,
                    "wrong": wrong,
                    "n": len(of),
                    "low": float(low),
                    "high": float(high),
                }
            )
    return found


def show(found: Sequence[dict[str, Any]]) -> None:
    """The table."""
    rows = [
        (
            f"{r['what']} ({r['of']})",
            f"{r['wrong']} of {r['n']}",
            f"{r['wrong'] / r['n']:.1%}",
            f"{r['low']:.1%} to {r['high']:.1%}",
        )
        for r in found
    ]
    print("\n".join(table_lines(("rate", "count", "share", "95 % interval"), rows)))


def fit(cases: Sequence[Case]) -> None:
    """Print the weights of the lateral rule that these cases give, and the spread of what thresholds cut."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    of = [c for c in cases if frontal(c) or lateral(c)]
    values = np.array([(c.measures.symmetry, c.measures.side, c.measures.spine) for c in of])
    truth = np.array([lateral(c) for c in of])
    spread = values.std(axis=0)
    model = LogisticRegression(C=0.3, class_weight="balanced").fit(values / spread, truth)
    print(
        "weights", (model.coef_[0] / spread).round(2).tolist(), "constant", model.intercept_.round(2).tolist()
    )
    for name in ("inverted", "border", "spread"):
        quantiles = np.percentile([getattr(c.measures, name) for c in of], [0, 0.5, 1, 50, 99, 99.5, 100])
        print(f"{name}: quantiles 0, 0.5, 1, 50, 99, 99.5, 100 %: {quantiles.round(3).tolist()}")


def write_failures(cases: Sequence[Case], folder: Path) -> None:
    """A sheet per rule that is wrong somewhere: the images in rows of ten."""
    cv2 = opencv()
    folder.mkdir(parents=True, exist_ok=True)
    for line in lines(()):
        if "size" in line.what or "any" in line.what:
            continue
        tiles = [np.uint8(c.small[0] * 255) for c in cases if line.counts(c) and line.wrong(c)][:60]
        if tiles:
            tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 10)
            sheet = np.vstack([np.hstack(tiles[i : i + 10]) for i in range(0, len(tiles), 10)])
            name = "".join(ch if ch.isalnum() else "-" for ch in f"{line.what} {line.of}")
            cv2.imwrite(str(folder / f"{name}.png"), sheet)


def dicom(folder: Path) -> list[dict[str, Any]]:
    """What is said of DICOM files."""
    found = []
    for path in sorted(folder.glob("*.dcm")):
        picture = read_image(path)
        concerns = inspect(picture.pixels, view=picture.view, spacing_mm=picture.spacing_mm)
        found.append(
            {
                "file": path.name,
                "measures": measure(picture.pixels).inverted,
                "said": [c.kind for c in concerns],
            }
        )
        print(
            f"{path.name}: {', '.join(c.kind for c in concerns) or 'nothing'} (inverted {found[-1]['measures']:+.2f})"
        )
    return found


def main() -> None:
    """Read, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=("test", "dev", "both"), default="test")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--failures", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = [f for f in films(options.data) if options.half in ("both", f.half)]
    cases = []
    for i, film in enumerate(chosen):
        cases.append(look(film))
        if i % 100 == 99:
            print(f"{i + 1} of {len(chosen)}", file=sys.stderr)
    if options.fit:
        fit(cases)
    found = rates(cases)
    print(f"{len(cases)} images of the {options.half} half")
    show(found)
    unknown = [c for c in cases if c.film.view is View.UNKNOWN]
    said = sum("lateral" in c.upright for c in unknown)
    print(f"view not said by the data set: {len(unknown)}; of these called lateral: {said}")
    files = dicom(options.data / "dicom")
    if options.failures:
        write_failures(cases, options.failures)
    write_json(options.json, "image_guard", {"half": options.half, "rates": found, "dicom": files})


if __name__ == "__main__":
    main()
