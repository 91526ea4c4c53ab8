from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.errors import ImageError
from hilum.core.imaging import Box
from hilum.images.geometry import (
    about,
    chain,
    identity,
    mirroring,
    move_boxes,
    move_points,
    rotation,
    scaling,
    shearing,
    shifting,
    swap_sides,
    warp,
    warp_mask,
)

BOX = Box("Nodule", 10.0, 20.0, 30.0, 28.0)


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


def test_steps_are_done_first_to_last() -> None:
    moved = move_points(np.array([[1.0, 2.0]]), chain(shifting(1.0, 0.0), scaling(3.0, 5.0)))
    assert moved.tolist() == [[6.0, 10.0]]


def test_a_quarter_turn_is_clockwise_and_keeps_its_centre() -> None:
    turn = about((50.0, 50.0), rotation(90.0))
    points = np.array([[50.0, 50.0], [50.0, 40.0]])
    assert np.allclose(move_points(points, turn), [[50.0, 50.0], [60.0, 50.0]])


@given(st.floats(-180, 180), st.floats(0.3, 3.0), st.floats(-50, 50))
def test_rotation_agrees_with_opencv(degrees: float, factor: float, along: float) -> None:
    ours = chain(about((30.0, 40.0), rotation(degrees)), about((30.0, 40.0), scaling(factor, factor)))
    theirs = cv2.getRotationMatrix2D((30.0, 40.0), -degrees, factor)  # OpenCV turns the other way
    assert np.allclose(ours[:2], theirs, atol=1e-6)
    assert np.allclose(chain(shifting(along, 0.0), shifting(-along, 0.0)), identity())


def test_shear_moves_lower_points_further() -> None:
    moved = move_points(np.array([[0.0, 0.0], [0.0, 10.0]]), shearing(45.0))
    assert np.allclose(moved, [[0.0, 0.0], [10.0, 10.0]])


def test_a_mirrored_box_is_at_the_other_side() -> None:
    moved = move_boxes([BOX], mirroring(100.0), size=(60, 100))
    assert corners(moved.boxes[0]) == (70.0, 20.0, 90.0, 28.0)
    assert moved.dropped == 0


def test_boxes_are_clipped_and_dropped_below_the_share() -> None:
    half = move_boxes([BOX], shifting(-20.0, 0.0), size=(60, 100))
    assert [corners(b) for b in half.boxes] == [(0.0, 20.0, 10.0, 28.0)]
    assert move_boxes([BOX], shifting(-20.0, 0.0), size=(60, 100), keep=0.6) == ((), 1)
    assert move_boxes([BOX], shifting(-500.0, 0.0), size=(60, 100), keep=0.0) == ((), 1)


def test_warp_keeps_pixels_under_whole_shifts_and_fills_the_rest() -> None:
    pixels = np.random.default_rng(0).random((1, 12, 9), dtype=np.float32)
    assert np.array_equal(warp(pixels, identity(), size=(12, 9)), pixels)
    moved = warp(pixels, shifting(2.0, 3.0), size=(12, 9), fill=0.5)
    assert np.array_equal(moved[:, 3:, 2:], pixels[:, :-3, :-2])
    assert (moved[:, :3] == 0.5).all()
    assert (moved[:, :, :2] == 0.5).all()
    assert np.array_equal(warp(pixels, mirroring(9.0), size=(12, 9)), pixels[:, :, ::-1])


@settings(max_examples=60, deadline=None)
@given(
    degrees=st.floats(-180, 180),
    factor=st.floats(0.6, 1.8),
    dx=st.floats(-20, 20),
    lean=st.floats(-20, 20),
    left=st.integers(30, 50),
    top=st.integers(30, 50),
    width=st.integers(20, 40),
    height=st.integers(20, 40),
)
def test_white_pixels_are_where_the_moved_box_says(
    degrees: float, factor: float, dx: float, lean: float, left: int, top: int, width: int, height: int
) -> None:
    pixels = np.zeros((1, 120, 120), dtype=np.float32)
    pixels[0, top : top + height, left : left + width] = 1.0
    box = Box("Mass", left, top, left + width, top + height)
    centre = (60.0, 60.0)
    matrix = chain(
        about(centre, shearing(lean)),
        about(centre, rotation(degrees)),
        about(centre, scaling(factor, factor)),
        shifting(dx, 0.0),
        shifting(60.0, 60.0),
    )
    moved = move_boxes([box], matrix, size=(240, 240)).boxes[0]
    rows, columns = np.nonzero(warp(pixels, matrix, size=(240, 240))[0] > 0.02)
    seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.subtract(corners(moved), seen)).max() < 3.0
    mask = warp_mask(pixels[0] > 0, matrix, size=(240, 240))
    assert mask.sum() == pytest.approx(width * height * factor**2, abs=(width + height) * factor)


def test_left_and_right_are_swapped_as_whole_words() -> None:
    assert swap_sides("left lung") == "right lung"
    assert swap_sides("Right_Lower_Lobe") == "Left_Lower_Lobe"
    assert swap_sides("RIGHT, not left") == "LEFT, not right"
    assert swap_sides("bright cleft") == "bright cleft"
    assert swap_sides(swap_sides("left-sided Right heart")) == "left-sided Right heart"


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((5, 5), dtype=np.float32),
        np.zeros((3, 5, 5), dtype=np.float32),
        np.zeros((1, 5, 5), dtype=np.float64),
        np.zeros((1, 0, 5), dtype=np.float32),
        np.zeros((1, 1, 40_000), dtype=np.float32),
    ],
)
def test_what_is_no_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"float32 \[1, H, W\]|too large"):
        warp(wrong, identity(), size=(5, 5))
