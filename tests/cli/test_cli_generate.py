"""The command `hilum generate`, as the program runs it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import cv2
import pytest
from commands import runner

from hilum.cli.generate import generate
from hilum.models.classifier import new_classifier, save_classifier
from hilum.models.classifier_spec import ClassifierSpec
from hilum.models.report_generator import save_generator

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import tiny_classifier as tiny
from tiny_report_generator import talkative, tiny_generator

run = runner(generate)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of 8 images, one of them bad, a generator and a classifier."""
    folder = tmp_path_factory.mktemp("generate")
    tiny.write_images(folder, n=8)
    (folder / "images" / "i0-4.png").write_bytes(b"nothing")
    save_generator(folder / "run" / "model", talkative(seed=4))
    spec = ClassifierSpec(
        findings=tiny.FINDINGS, size_px=32, architecture=tiny.TINY, channels=1, normalisation="none"
    )
    save_classifier(folder / "classifier", new_classifier(spec, seed=1).eval())
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_output_of_a_folder_with_a_bad_image(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    code, _, err = run(
        shared / "images", "--model", shared / "run" / "model", "-o", out, "--evidence", tmp_path / "e.jsonl",
        "--attention", tmp_path / "att", "--html", tmp_path / "p.html", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "Reports: 7 generated; images that could not be used: 1" in err
    rows = rows_of(out)
    assert [Path(row["path"]).name for row in rows] == [f"i0-{i}.png" for i in range(8) if i != 4]
    (bad,) = rows_of(tmp_path / "r.csv.failed.csv")
    assert bad["image"].endswith("i0-4.png")
    assert bad["reason"].startswith("is ")
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == [row["path"] for row in rows]
    record = json.loads((tmp_path / "r.csv.provenance.json").read_text("utf-8"))
    assert record["reports"] == 7
    assert record["decoding"]["repeats"] == "forbid"
    page = (tmp_path / "p.html").read_text("utf-8")
    assert page.count("<article") == 7
    assert 'src="data:image/jpeg;base64,' in page
    pictures = sorted((tmp_path / "att").glob("*.png"))
    assert pictures
    assert f"({len(pictures):,} pictures)" in err
    drawn = cv2.imread(str(pictures[0]))
    assert drawn is not None
    assert drawn.shape == (320, 320, 3)


def test_a_few_reports_are_shown(shared: Path) -> None:
    code, out, err = run(
        shared / "images" / "i0-0.png", shared / "images" / "i0-1.png", "-w", shared / "run" / "model",
        "--device", "cpu", "--decode", "beam", "--beams", "2", "--no-repeat-ngram", "3",
    )  # fmt: skip
    assert code == 0, err
    assert "decoding beam of 2, repeats: forbid, no 3 words in a row twice" in err
    assert out.count("i0-0.png") == 1
    assert "not mentioned" in out
    assert "Reports: 2 generated" in err
    assert "Reports:" not in out


def test_more_reports_go_to_standard_output_as_csv(shared: Path, tmp_path: Path) -> None:
    given = ("--images", shared / "images.csv", "--model", shared / "run" / "model", "--device", "cpu")
    code, out, err = run(*given)
    assert code == 0, err
    rows = list(csv.DictReader(out.splitlines()))
    assert list(rows[0])[:3] == ["Path", "patient_id", "report"]
    code, _, err = run(*given, "-o", tmp_path / "r.csv")
    assert code == 0, err
    assert (tmp_path / "r.csv").read_bytes() == out.encode()


@pytest.mark.parametrize("package", ["torch", "cv2"])
def test_without_the_extras_it_says_what_to_install(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run(shared / "images", "-w", shared / "run" / "model", "-o", tmp_path / "p.csv")
    assert code == 2
    assert "pip install 'hilum[neural,images]'" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No image was named"),
        (["images", "--images", "images.csv"], "Images were named twice"),
        (["none.png"], "There is no file or folder none.png."),
        (["run"], "There is no image in"),
        (["images/i0-4.png"], "The image could not be used; images/i0-4.png: is "),
        (["images", "-o", "r.txt"], "'.txt' is not one of"),
        (["images", "-o", "r.csv", "--html", "r.csv"], "is both the output and the page"),
        (["images", "--evidence", "e.csv"], "name a file ending in .jsonl"),
        (["images", "--decode", "magic"], "There is no way of decoding 'magic'"),
        (["images", "--temperature", "0"], "temperature is 0.0"),
        (["images", "--attention-words", "some"], "named"),
        (["images", "--attention", "images"], "holds files that are not of hilum generate"),
        (["images", "--labeler", "rulez"], "Did you mean 'rules'?"),
        (["images", "--labeler-weights", "x"], "does not take --weights"),
        (["images", "--model", "none"], "There is no folder none."),
        (["images", "--model", "run"], "Next step: --model run/model"),
        (["images", "--model", "classifier"], "is an image classifier, and it writes no reports"),
        (["images", "--model", "images"], "is no report generator"),
        (["images", "--device", "cuda:99"], "cannot be used"),
    ],
)
def test_what_cannot_be_done_is_told(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(shared)
    whole = [str(tmp_path / one) if one.startswith("r.") else one for one in arguments]
    model = [] if "--model" in whole else ["--model", "run/model"]
    device = [] if "--device" in whole else ["--device", "cpu"]
    code, _, err = run(*whole, *model, *device)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "r.csv").exists()


def test_weights_of_another_vocabulary_are_told(shared: Path, tmp_path: Path) -> None:
    save_generator(tmp_path / "model", tiny_generator())
    file = tmp_path / "model" / "hilum_generator.json"
    spec = json.loads(file.read_text("utf-8"))
    spec["words"].append("more")
    file.write_text(json.dumps(spec), encoding="utf-8")
    code, _, err = run(shared / "images", "--model", tmp_path / "model", "--device", "cpu")
    assert code == 2
    assert "made for this vocabulary and these sizes" in " ".join(err.split())
