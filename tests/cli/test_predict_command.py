"""The command `hilum predict`, as the program runs it."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from commands import runner

from hilum.api import _predict_work
from hilum.api._predict_images import find_images
from hilum.api.predict import PredictJob, predict_file
from hilum.cli.predict import predict
from hilum.models.classifier import load_classifier, new_classifier, save_classifier
from hilum.models.classifier_spec import ClassifierSpec
from hilum.models.classify import predict_images
from hilum.tables.labels import read_probabilities

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
import tiny_classifier as tiny

run = runner(predict)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 12 images, one of them bad, and a classifier."""
    folder = tmp_path_factory.mktemp("predict")
    tiny.write_images(folder, n=12)
    (folder / "images" / "i0-4.png").write_bytes(b"nothing")
    (folder / "images" / "notes.txt").write_text("no image", encoding="utf-8")
    spec = ClassifierSpec(
        findings=tiny.FINDINGS, size_px=32, architecture=tiny.TINY, channels=1, normalisation="minus-one-to-one",
        temperatures=(1.0, 2.0, 0.5),
    )  # fmt: skip
    save_classifier(folder / "model", new_classifier(spec, seed=1).eval())
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_predicted_and_the_bad_image_listed(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "probs.csv"
    code, _, err = run(shared / "images", "--weights", shared / "model", "-o", out, "--device", "cpu")
    assert code == 0, err
    assert "Images: 11 predicted, 1 could not be used" in err
    assert "1 file that is no image was left out (notes.txt); listed in probs.csv.failed.csv" in err
    rows = rows_of(out)
    assert list(rows[0]) == ["path", *tiny.FINDINGS]
    assert [Path(row["path"]).name for row in rows] == sorted(f"i0-{i}.png" for i in range(12) if i != 4)
    bad, other = rows_of(tmp_path / "probs.csv.failed.csv")
    assert bad["image"].endswith("i0-4.png")
    assert bad["reason"].startswith("is ")
    assert other["image"].endswith("notes.txt")
    assert "ends in .txt" in other["reason"]
    found = predict_images(load_classifier(shared / "model"), [Path(row["path"]) for row in rows])
    given = [[float(row[name]) for name in tiny.FINDINGS] for row in rows]
    np.testing.assert_allclose(given, found.probabilities, atol=2e-6)
    assert read_probabilities(out).matrix.findings == tiny.FINDINGS
    assert not (tmp_path / "probs.csv.hilum-parts").exists()


def test_a_table_keeps_its_other_columns(shared: Path, tmp_path: Path) -> None:
    for name in ("probs.tsv", "probs.jsonl", "probs.parquet"):
        code, _, err = run(
            shared / "images.csv", "-w", shared / "model", "-o", tmp_path / name, "--device", "cpu"
        )
        assert code == 0, err
        assert "columns of labels of the table were not kept" in err
    frame = pl.read_parquet(tmp_path / "probs.parquet")
    assert frame.columns == ["Path", "patient_id", *tiny.FINDINGS]
    assert frame["patient_id"][0] == "p0-0"
    assert frame["Path"].to_list() == [f"images/i0-{i}.png" for i in range(12) if i != 4]
    assert frame.schema["Edema"] == pl.Float64


def test_heat_is_drawn_for_each_image_and_finding(shared: Path, tmp_path: Path) -> None:
    code, _, err = run(
        shared / "images" / "i0-0.png", shared / "images" / "i0-1.png", "-w", shared / "model", "-o",
        tmp_path / "p.csv", "--grad-cam", tmp_path / "heat", "--finding", "edema", "--finding", "Fracture",
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    names = sorted(path.name for path in (tmp_path / "heat").iterdir())
    assert names == [
        "000001-i0-0-Edema.png", "000001-i0-0-Fracture.png", "000002-i0-1-Edema.png", "000002-i0-1-Fracture.png",
    ]  # fmt: skip
    drawn = cv2.imread(str(tmp_path / "heat" / names[0]))
    assert drawn is not None
    assert drawn.shape == (512, 512, 3)


def test_heat_that_is_flat_is_told(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_predict_work, "grad_cam", lambda *_: np.zeros((1, 32, 32), np.float32))
    code, _, err = run(
        shared / "images" / "i0-0.png", "-w", shared / "model", "-o", tmp_path / "p.csv", "--grad-cam",
        tmp_path / "heat", "--finding", "edema", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "nothing spoke for Edema in 1 image (" in err


def test_files_without_an_ending_are_told_by_content(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    whole = (shared / "images" / "i0-0.png").read_bytes()
    (folder / "image").write_bytes(whole)
    (folder / "1.2.840.7").write_bytes(whole)
    (folder / "README").write_text("words", encoding="utf-8")
    found = find_images(PredictJob((folder,), "w", "p.csv"))
    assert [Path(item.path).name for item in found.items] == ["1.2.840.7", "image"]
    ((name, why),) = found.others
    assert name.endswith("README")
    assert why.startswith("is a text file")


def test_a_table_that_names_an_image_twice_is_told(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("path\na.png\na.png\n", encoding="utf-8")
    found = find_images(PredictJob((table,), "w", "p.csv"))
    assert len(found.items) == 2
    assert found.notes == ("1 row names an image that an earlier row names; each row has its probabilities",)


@pytest.mark.parametrize("package", ["torch", "cv2"])
def test_without_the_extras_it_says_what_to_install(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run(shared / "images", "-w", shared / "model", "-o", tmp_path / "p.csv")
    assert code == 2
    assert "pip install 'hilum[neural,images]'" in " ".join(err.split())


def test_a_stopped_run_goes_on_to_the_same_bytes(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def job(name: str) -> PredictJob:
        return PredictJob((shared / "images.csv",), shared / "model", tmp_path / name, chunk_size=5)

    predict_file(job("whole.csv"))
    real, calls = predict_images, 0

    def dies(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(_predict_work, "predict_images", dies)
    with pytest.raises(KeyboardInterrupt):
        predict_file(job("part.csv"))
    assert not (tmp_path / "part.csv").exists()
    monkeypatch.undo()
    summary = predict_file(job("part.csv"))
    assert summary.resumed == 10
    assert (tmp_path / "part.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "part.csv.failed.csv").read_bytes() == (tmp_path / "whole.csv.failed.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["images/i0-4.png", "none.png", "-o", "p.csv"], "None of 2 images could be used"),
        (["model", "-o", "p.csv"], "There is no image in"),
        (["images", "-o", "p.txt"], "'.txt' is not one of"),
        (["images", "-o", "p.csv", "--grad-cam", "heat"], "--finding NAME, one of: Edema"),
        (["images", "-o", "p.csv", "--grad-cam", "heat", "--finding", "Edma"], "Did you mean 'Edema'?"),
        (
            ["images", "-o", "p.csv", "--grad-cam", "heat", "--finding", "Pneumonia"],
            "finding of this classifier",
        ),
        (["images", "-o", "p.csv", "--finding", "Edema"], "there is no --grad-cam"),
        (["none.png", "-o", "p.csv"], "There is no file or folder none.png."),
        (["images/i0-4.png", "-o", "p.csv"], "The image could not be used; images/i0-4.png: is "),
        (["images", "-o", "p.csv", "--weights", "none"], "There is no folder none."),
        (["images", "-o", "p.csv", "--weights", "."], "Next step: --weights model"),
        (["images", "-o", "p.csv", "--weights", "images"], "no image classifier"),
    ],
)
def test_what_cannot_be_done_is_told(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(shared)
    whole = [str(tmp_path / one) if one.startswith("p.") else one for one in arguments]
    weights = [] if "--weights" in whole else ["--weights", "model"]
    code, _, err = run(*whole, *weights, "--device", "cpu")
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
