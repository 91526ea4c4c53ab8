"""The phantom on disk: the same bytes however it was written, and read back as it was made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hilum.core.errors import HilumError, InputError, OutputError
from hilum.datasets import ItemStatus, get_data_set
from hilum.datasets._phantom import folder as folder_module
from hilum.datasets._phantom.folder import png
from hilum.datasets.phantom import build
from hilum.images.read import read_image

N, SIZE = 45, 64


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("phantom")
    build(seed=4, n=N, size=SIZE).write(place)
    return place


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_is_read_back_is_what_was_made(written: Path) -> None:
    made, read = build(seed=4, n=N, size=SIZE).studies(), get_data_set("phantom", written).studies()
    for one, other in zip(made, read, strict=True):
        for name in ("id", "patient", "priors", "sex", "race", "age_years", "split", "licence", "report"):
            assert getattr(one, name) == getattr(other, name), name
        assert dict(one.meta) == dict(other.meta)
        assert {k: v.states for k, v in one.labels.items()} == {k: v.states for k, v in other.labels.items()}
        for a, b in zip(one.images, other.images, strict=True):
            assert (a.id, a.view, a.boxes, a.spacing_mm) == (b.id, b.view, b.boxes, b.spacing_mm)
            assert b.path is not None
            assert a.pixels is not None
            np.testing.assert_array_equal(a.pixels, read_image(b.path).pixels)
            assert set(a.masks) == set(b.masks)
            for mask in a.masks:
                np.testing.assert_array_equal(a.masks[mask], b.masks[mask])


def test_any_number_of_workers_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    build(seed=4, n=N, size=SIZE).write(tmp_path / "two", workers=2)
    assert content(tmp_path / "two") == content(written)


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = folder_module._write_files, []

    def breaks(folder: Path, study: object) -> None:
        calls.append(study)
        if len(calls) > 42:
            raise KeyboardInterrupt
        real(folder, study)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_module, "_PATIENTS_IN_A_CHUNK", 4)
    monkeypatch.setattr(folder_module, "_write_files", breaks)
    with pytest.raises(KeyboardInterrupt):
        build(seed=4, n=N, size=SIZE).write(tmp_path)
    assert not (tmp_path / "studies.jsonl").exists()
    last = max((tmp_path / "images").glob("*.png"))
    last.with_name(last.name + ".tmp").write_bytes(b"half of an image")
    monkeypatch.setattr(folder_module, "_write_files", real)
    counted = []
    build(seed=4, n=N, size=SIZE).write(tmp_path, progress=counted.append)
    assert counted[-1].resumed > 0
    assert content(tmp_path) == content(written)


def test_writing_again_changes_nothing_and_other_options_are_refused(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "copy")
    before = content(tmp_path / "copy")
    build(seed=4, n=N, size=SIZE).write(tmp_path / "copy")
    assert content(tmp_path / "copy") == before
    with pytest.raises(OutputError, match="other options"):
        build(seed=5, n=N, size=SIZE).write(tmp_path / "copy")
    build(seed=5, n=4, size=SIZE).write(tmp_path / "copy", fresh=True)
    build(seed=5, n=4, size=SIZE).write(tmp_path / "anew")
    assert content(tmp_path / "copy") == content(tmp_path / "anew")
    with pytest.raises(InputError, match="read from"):
        get_data_set("phantom", written).write(tmp_path / "no")  # type: ignore[attr-defined]


def test_everything_says_synthetic(written: Path) -> None:
    assert "synthetic" in (written / "README.md").read_text("utf-8")
    assert all(
        '"synthetic": "yes"' in row for row in (written / "studies.jsonl").read_text("utf-8").splitlines()
    )
    assert all("SYNTHETIC" in p.read_text("utf-8") for p in (written / "reports").glob("*.txt"))
    assert all(
        b"synthetic chest radiograph" in p.read_bytes()[:200] for p in (written / "images").glob("*.png")
    )
    assert json.loads((written / "phantom.json").read_text("utf-8"))["synthetic"] == "yes"


def test_a_checkup_counts_what_is_there(written: Path, tmp_path: Path) -> None:
    found = get_data_set("phantom", written).check()
    assert found.ok
    assert found.counts["studies"] == found.counts["reports"] == N
    shutil.copytree(written, tmp_path / "half")
    for path in sorted((tmp_path / "half" / "images").glob("*.png"))[::2]:
        path.unlink()
    half = get_data_set("phantom", tmp_path / "half").check()
    assert any(item.status is ItemStatus.PART for item in half.items)
    (tmp_path / "half" / "studies.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(HilumError, match="line 1"):
        list(get_data_set("phantom", tmp_path / "half").studies())
    assert not get_data_set("phantom", tmp_path / "half").check().ok
    with pytest.raises(InputError, match=r"studies\.jsonl"):
        get_data_set("phantom", tmp_path).studies()


def test_a_made_phantom_needs_no_file() -> None:
    assert build(n=3).check().ok


def test_a_png_is_read_as_it_was_made(tmp_path: Path) -> None:
    grey = np.arange(7 * 5, dtype=np.uint8).reshape(7, 5) * 7
    (tmp_path / "a.png").write_bytes(png(grey, "note"))
    got = read_image(tmp_path / "a.png").pixels
    np.testing.assert_array_equal(np.rint(got[0] * 255).astype(np.uint8), grey)
