from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from hilum.api.look import Look, LookOptions, contact_sheet, look_at, png_bytes
from hilum.cli.look import look
from hilum.cli.main import told
from hilum.core.errors import ImageError, InputError, OutputError
from hilum.core.rng import rng_for
from hilum.images.transforms import resize


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    waves = np.sin(np.linspace(0, 9, 300))[:, None] * np.cos(np.linspace(0, 7, 240))[None]
    grain = rng_for(0, "look").normal(0, 6, waves.shape)
    cv2.imwrite(str(tmp_path / "film.png"), np.uint8(np.clip(127 + 100 * waves + grain, 0, 255)))
    cv2.imwrite(str(tmp_path / "small.png"), np.full((30, 40), 9, dtype=np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(look))
    done = CliRunner().invoke(app, [str(folder / a) if "." in a else a for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_the_png_is_what_the_model_sees(folder: Path) -> None:
    said = run(folder, "film.png", "-o", "out.png", "--size", "128")
    written = cv2.imread(str(folder / "out.png"), cv2.IMREAD_UNCHANGED)
    film = cv2.imread(str(folder / "film.png"), cv2.IMREAD_UNCHANGED).astype(np.float32)[None] / np.float32(
        255
    )
    expected = resize(film, 128, fit="pad").pixels[0] * 255
    assert written.shape == (128, 128)
    assert np.abs(written - expected).max() <= 0.51
    assert "PNG, 8 bits, 1 channel" in said
    assert "240 x 300 pixels" in said
    assert "128 x 128 pixels by 'pad'" in said
    assert "out.png" in said


def test_without_an_output_nothing_is_written(folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert "wrote" not in run(folder, "film.png")
    assert sorted(folder.iterdir()) == before


def test_concerns_are_told(folder: Path) -> None:
    said = run(folder, "small.png")
    assert "concern: not a chest X-ray sized image: 40 x 30 pixels" in said
    assert "concern: flat" in said
    assert "no concerns" not in said


def test_a_sheet_of_copies_repeats_with_its_seed(folder: Path) -> None:
    arguments = ("film.png", "--augment", "strong", "--copies", "4", "--size", "64")
    said = run(folder, *arguments, "-o", "a.png")
    run(folder, *arguments, "-o", "b.png")
    run(folder, *arguments, "-o", "c.png", "--seed", "1")
    a, b, c = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    sheet = cv2.imread(str(folder / "a.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (2 * 64 + 4, 3 * 64 + 2 * 4)
    assert (sheet[:, 64:68] == 255).all()
    assert "4 copies by 'strong', seed 0" in said


def test_copies_that_are_all_alike_are_told(folder: Path) -> None:
    assert "note: all copies are alike" in run(
        folder, "film.png", "-o", "a.png", "--copies", "2", "--size", "64"
    )


def test_one_augmented_copy_alone(folder: Path) -> None:
    done = look_at(
        folder / "film.png", output=folder / "x.png", options=LookOptions(size=64, augment="light")
    )
    assert isinstance(done, Look)
    assert (folder / "x.png").read_bytes() == png_bytes(done.copies[0].pixels)
    assert not np.array_equal(done.copies[0].pixels, done.seen)


def test_a_sheet_has_its_tiles_in_rows() -> None:
    tiles = [np.full((1, 2, 3), i / 10, dtype=np.float32) for i in range(3)]
    sheet = contact_sheet(tiles)
    assert sheet.shape == (1, 8, 10)
    assert sheet[0, 0, 0] == tiles[0][0, 0, 0]
    assert sheet[0, 0, 7] == tiles[1][0, 0, 0]
    assert sheet[0, 6, 0] == tiles[2][0, 0, 0]
    assert sheet[0, 7, 9] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("notes.txt",), "notes.txt"),
        (("absent.png",), "does not exist"),
        (("film.png", "-o", "out.jpg"), "end it in .png"),
        (("film.png", "-o", "film.png"), "image itself"),
        (("film.png", "--fit", "padd"), "Did you mean 'pad'"),
        (("film.png", "-o", "out.png", "--augment", "lite"), "Did you mean 'light'"),
        (("film.png", "--size", "0"), "1 to 8,192"),
        (("film.png", "-o", "out.png", "--copies", "9999"), "0 to 400"),
        (("film.png", "-o", "out.png", "--copies", "300", "--size", "2000"), "too large"),
        (("film.png", "--colour", "mauve"), "luminance"),
        (("film.png", "--augment", "strong"), "add -o OUT.png"),
        (("film.png", "--copies", "3"), "add -o OUT.png"),
    ],
)
def test_errors_say_what_to_do(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    before = (folder / "film.png").read_bytes()
    assert message in " ".join(run(folder, *arguments, code=2).split())
    assert (folder / "film.png").read_bytes() == before


def test_the_function_raises_what_it_says(folder: Path) -> None:
    with pytest.raises(ImageError):
        look_at(folder / "notes.txt")
    with pytest.raises(OutputError):
        look_at(folder / "film.png", output=folder / "no" / "such.png")
    with pytest.raises(InputError):
        LookOptions(size=-1)
