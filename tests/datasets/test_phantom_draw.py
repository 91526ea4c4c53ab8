"""The phantom's films: the same bytes, what is where, and signs that grow with their severity."""

from __future__ import annotations

import time
from dataclasses import fields, replace

import numpy as np
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Image, View
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14
from hilum.datasets._phantom.film import (
    KINDS,
    LATERAL_KINDS,
    PLACES,
    RANGES,
    Anatomy,
    Film,
    Sign,
    anatomy_for,
    place,
    visible,
)

pytest.importorskip("cv2", reason="the extra `images` is not installed")

from hilum.datasets._phantom.draw import FRONTAL, SIDE, draw

ALL = [(finding, kind) for finding, kinds in KINDS.items() for kind in kinds]
SHAPES = {
    "large heart",
    "globular heart",
    "wide mediastinum",
    "tortuous aorta",
    "volume loss",
    "collapse",
    "tension",
}
QUIET = Film(noise=0.0, anatomy=Anatomy(pattern=5), seed=11)


def pixels(image: Image) -> np.ndarray:
    assert image.pixels is not None
    return image.pixels[0]


def with_sign(film: Film, finding: str, kind: str, **details: object) -> Film:
    return replace(film, signs=(Sign(finding, kind, **details),))  # type: ignore[arg-type]


def change(film: Film, *, size: int = 128) -> tuple[np.ndarray, Image]:
    """How much the signs of a film change each pixel, and the film's image."""
    image = draw(film, size=size)
    return np.abs(pixels(image) - pixels(draw(replace(film, signs=()), size=size))), image


def ratio(image: Image) -> float:
    """The cardiothoracic ratio, from the masks."""
    heart = np.flatnonzero(image.masks["heart"].any(axis=0))
    lungs = np.flatnonzero((image.masks["left lung"] | image.masks["right lung"]).any(axis=0))
    return float(np.ptp(heart) / np.ptp(lungs))


def test_kinds_cover_every_finding_but_the_normal_one() -> None:
    assert set(KINDS) == set(CHEXPERT14.names) - {CHEXPERT14.no_finding}
    assert {kind for _, kind in ALL} == set(FRONTAL)
    assert set(SIDE) == LATERAL_KINDS
    assert len(ALL) == len({kind for _, kind in ALL}), "a kind belongs to one finding"
    assert set(PLACES) <= set(FRONTAL)


@pytest.mark.parametrize("view", [View.PA, View.AP, View.FRONTAL, View.LATERAL])
@pytest.mark.parametrize("size", [64, 200, 256])
def test_every_view_and_size(view: View, size: int) -> None:
    image = draw(Film(view=view), size=size)
    assert image.pixels is not None
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (1, size, size)
    assert 0 <= image.pixels.min() < 0.1
    assert 0.7 < image.pixels.max() <= 1
    assert set(image.masks) == {"left lung", "right lung", "heart"}
    assert all(
        mask.shape == (size, size) and mask.dtype == np.bool_ and mask.any() for mask in image.masks.values()
    )
    assert image.view is view
    assert image.spacing_mm == (400 / size, 400 / size)
    assert image.boxes == ()


@pytest.mark.parametrize("view", [View.PA, View.LATERAL])
def test_large_films_show_the_same_as_small_ones(view: View) -> None:
    film = with_sign(replace(QUIET, view=view), "Pleural Effusion", "meniscus", side="left", severity=0.7)
    small, large = draw(film, size=128), draw(film, size=1024)
    reduced = pixels(large).reshape(128, 8, 128, 8).mean(axis=(1, 3))
    assert np.abs(reduced - pixels(small)).mean() < 0.025
    for a, b in zip(small.boxes, large.boxes, strict=True):
        assert np.allclose(np.array([a.x0, a.y0, a.x1, a.y1]) * 8, [b.x0, b.y0, b.x1, b.y1], atol=32)


def test_same_film_same_bytes_and_whole_steps_of_brightness() -> None:
    film = with_sign(Film(seed=3, noise=1.0), "Edema", "bat wing", severity=0.6)
    first, second = draw(film), draw(replace(film))
    assert pixels(first).tobytes() == pixels(second).tobytes()
    assert first.boxes == second.boxes
    steps = pixels(first) * 255
    assert np.abs(steps - np.rint(steps)).max() < 1e-4
    assert pixels(draw(replace(film, seed=4))).tobytes() != pixels(first).tobytes()


@pytest.mark.parametrize(("finding", "kind"), ALL)
def test_every_kind_is_drawn_inside_its_boxes(finding: str, kind: str) -> None:
    for side in ("left", "both"):
        film = with_sign(QUIET, finding, kind, side=side, severity=0.8, variant=1)
        changed, image = change(film)
        assert changed.max() > 0.04, "nothing to see"
        inside = np.zeros(changed.shape, bool)
        for box in image.boxes:
            assert box.finding == finding
            assert 0 <= box.x0 < box.x1 <= 128
            assert 0 <= box.y0 < box.y1 <= 128
            inside[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
        least = 0.35 if kind in SHAPES else 0.85
        assert changed[inside].sum() >= least * changed.sum(), "the change lies outside its box"


@pytest.mark.parametrize("kind", sorted(LATERAL_KINDS))
def test_every_lateral_kind_is_drawn_inside_its_boxes(kind: str) -> None:
    finding = next(f for f, k in ALL if k == kind)
    film = with_sign(replace(QUIET, view=View.LATERAL), finding, kind, side="right", severity=0.8, variant=1)
    changed, image = change(film)
    assert changed.max() > 0.03
    (box,) = image.boxes
    inside = changed[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].sum()
    assert inside >= (0.35 if kind in SHAPES else 0.8) * changed.sum()


def test_what_a_lateral_view_does_not_show_is_left_out() -> None:
    film = with_sign(replace(QUIET, view=View.LATERAL), "Pneumothorax", "pleural line", severity=1.0)
    changed, image = change(film, size=96)
    assert changed.max() == 0
    assert image.boxes == ()
    assert not visible(film.signs[0], View.LATERAL)
    assert not visible(replace(film.signs[0], severity=0.0), View.PA)


@pytest.mark.parametrize(("finding", "kind"), ALL)
def test_severity_makes_a_sign_plainer(finding: str, kind: str) -> None:
    amounts = []
    for severity in (0.2, 0.6, 1.0):
        changed, _ = change(
            with_sign(QUIET, finding, kind, side="right", severity=severity, variant=2), size=128
        )
        amounts.append(float(changed.sum()))
    assert amounts[0] < amounts[1] < amounts[2]


@pytest.mark.parametrize("kind", KINDS["Cardiomegaly"])
@pytest.mark.parametrize("seed", range(4))
def test_cardiothoracic_ratio_grows_with_severity(kind: str, seed: int) -> None:
    film = Film(anatomy=anatomy_for(rng_for(seed, "test")), seed=seed)
    normal = ratio(draw(film))
    ratios = [ratio(draw(with_sign(film, "Cardiomegaly", kind, severity=s))) for s in (0.2, 0.5, 0.8, 1.0)]
    assert normal < 0.5 < ratios[0]
    assert ratios == sorted(ratios)
    assert ratios[-1] > ratios[0] + 0.1


def test_bedside_films_have_larger_hearts_and_higher_diaphragms() -> None:
    pa, ap = draw(QUIET), draw(replace(QUIET, view=View.AP, supine=True))
    assert ratio(ap) > ratio(pa) + 0.01
    lowest = [
        np.flatnonzero((i.masks["left lung"] | i.masks["right lung"]).any(axis=1)).max() for i in (pa, ap)
    ]
    assert lowest[1] < lowest[0]


def test_the_left_of_the_patient_is_at_the_right_of_the_image() -> None:
    image = draw(with_sign(QUIET, "Pleural Effusion", "meniscus", side="left", severity=0.8))
    assert image.boxes[0].x0 > 120
    columns = np.arange(256)
    heart = (image.masks["heart"] * columns).sum() / image.masks["heart"].sum()
    middle = (image.masks["right lung"] * columns).sum() / image.masks["right lung"].sum()
    assert middle < 110
    assert heart > 130, "two thirds of the heart lie on the left"


def test_a_pneumothorax_has_no_markings_and_is_darker() -> None:
    film = with_sign(QUIET, "Pneumothorax", "tension", side="right", severity=1.0)
    with_air, normal = draw(film), draw(QUIET)
    both = with_air.masks["right lung"] & normal.masks["right lung"]
    outer = both.copy()
    outer[:, 70:] = False
    assert pixels(with_air)[outer].mean() < pixels(normal)[outer].mean()


def test_the_same_sign_stands_in_the_same_place_in_the_next_film() -> None:
    film = with_sign(QUIET, "Lung Lesion", "nodule", side="left", zone="mid", severity=0.8, variant=4)
    (one,), (two,) = draw(film).boxes, draw(replace(film, noise=0.5, exposure=1.1)).boxes
    assert one == two
    (three,) = draw(replace(film, seed=99)).boxes
    assert abs(three.x0 - one.x0) < 20
    assert abs(three.y0 - one.y0) < 20


def test_signs_on_both_sides_have_a_box_on_each() -> None:
    image = draw(with_sign(QUIET, "Pleural Effusion", "meniscus", side="both", severity=0.6))
    left, right = sorted(image.boxes, key=lambda box: box.x0)
    assert left.x1 <= right.x0


def test_places_that_a_kind_cannot_take_become_the_usual_ones() -> None:
    assert place(Sign("Edema", "bat wing", "left", "apex")).side == "both"
    assert place(Sign("Pleural Effusion", "meniscus", "right", "apex")).zone == "base"
    assert place(Sign("Lung Lesion", "nodule", "right", "apex")).zone == "apex"


def test_film_conditions_show() -> None:
    normal = pixels(draw(QUIET))
    assert pixels(draw(replace(QUIET, exposure=1.3))).mean() < normal.mean()
    grainy = pixels(draw(replace(QUIET, noise=1.0)))
    assert np.abs(grainy - normal).std() > 0.01
    areas = [draw(replace(QUIET, inspiration=i)).masks["left lung"].sum() for i in (0.0, 0.5, 1.0)]
    assert areas == sorted(areas)
    turned = [draw(replace(QUIET, rotation_degrees=r)).masks["heart"] for r in (-8.0, 8.0)]
    assert np.flatnonzero(turned[0].any(axis=0)).mean() < np.flatnonzero(turned[1].any(axis=0)).mean()


def test_anatomies_stay_within_their_ranges_and_differ() -> None:
    drawn = [anatomy_for(rng_for(i, "anatomy"), sex="FM"[i % 2], age_years=20.0 + i) for i in range(60)]
    for anatomy in drawn:
        for one in fields(Anatomy):
            if one.name in RANGES:
                low, high = RANGES[one.name]
                assert low <= getattr(anatomy, one.name) <= high
    assert all(a.breast > 0 for a in drawn[::2])
    assert all(a.breast == 0 for a in drawn[1::2])
    assert len({a.pattern for a in drawn}) == 60
    images = [pixels(draw(Film(anatomy=a, noise=0.0), size=64)) for a in drawn[:4]]
    assert all(np.abs(images[0] - image).mean() > 0.02 for image in images[1:])


@pytest.mark.parametrize("extreme", [0, 1])
@pytest.mark.parametrize("view", [View.AP, View.LATERAL])
def test_the_limits_of_every_range_can_be_drawn(extreme: int, view: View) -> None:
    anatomy = Anatomy(**{name: limits[extreme] for name, limits in RANGES.items()})
    signs = tuple(Sign(finding, kind, severity=1.0, variant=extreme) for finding, kind in ALL)
    film = Film(
        view, anatomy, signs, rotation_degrees=12.0 - 24 * extreme, inspiration=float(extreme), supine=True
    )
    image = draw(film, size=96)
    assert np.isfinite(pixels(image)).all()
    assert {box.finding for box in image.boxes} >= {f for f, k in ALL if k in LATERAL_KINDS}


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(InputError, match="from 64 to 2048"):
        draw(Film(), size=32)
    with pytest.raises(UnknownNameError, match="Pleural Efusion"):
        draw(with_sign(Film(), "Pleural Efusion", "meniscus"), size=64)
    with pytest.raises(UnknownNameError, match="menisco"):
        draw(with_sign(Film(), "Pleural Effusion", "menisco"), size=64)


def test_a_film_is_drawn_fast() -> None:
    """A loose bound for slow machines; `benchmarks/phantom_sheet.py --speed` measures."""
    films = [with_sign(Film(seed=i), "Edema", "bat wing") for i in range(8)]
    draw(films[0])
    spent = []
    for film in films:
        start = time.perf_counter()
        draw(film)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.1
