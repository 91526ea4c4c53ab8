"""`hilum doctor`: what is told of a right, a half and a wrong folder, and how it ends."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hilum.api.doctor import doctor as check
from hilum.api.doctor import list_data_sets
from hilum.cli.doctor import doctor
from hilum.cli.main import told
from hilum.core.errors import InputError, UnknownNameError
from hilum.datasets import DATA_SETS

LAYOUTS = Path(__file__).parents[1] / "datasets"
IMAGES = 5
"""Images of the invented Open-I layout."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(LAYOUTS)
    importlib.import_module("layout_openi").write(tmp_path / "openi")
    return tmp_path / "openi"


def run(*arguments: object, code: int = 0) -> Result:
    app = typer.Typer()
    app.command()(told(doctor))
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return done


def test_alone_it_lists_every_data_set_with_access_and_licence() -> None:
    said = run().stdout
    for name, card in list_data_sets():
        (line,) = (line for line in said.splitlines() if line.startswith(f"{name} "))
        assert card.access.value in line
        assert card.licence in line
    assert "Next step: hilum doctor NAME --root DIR" in said
    rows = json.loads(run("--json").stdout)
    assert [row["data_set"] for row in rows] == DATA_SETS.names()
    assert all(row["how_to_get"] and row["citation"] for row in rows)


def test_a_right_folder(root: Path) -> None:
    said = run("openi", "--root", root).stdout
    assert "access: open; licence: CC BY-NC-ND 4.0." in said
    assert "reports with findings or impression: 3 of 4" in said
    assert "images named in the reports: 5 of 5" in said
    assert "        4  studies" in said
    assert "studies with labels: mesh" in said
    assert said.endswith("All that is needed is here.\n")


def test_a_half_folder(root: Path) -> None:
    for name in ("CXR2_IM-0652-1001.png", "CXR10_IM-0003-1001.png"):
        (root / "images" / name).unlink()
    (root / "projections.csv").unlink()
    said = run("openi", "--root", root).stdout
    assert "in part           images named in the reports: 3 of 5" in said
    assert "absent, optional  view of each image" in said
    assert "2 images that a report names and that are not here: CXR2_IM-0652-1001" in said
    assert "2 are not here: CXR2_IM-0652-1001, CXR10_IM-0003-1001" in said
    (root / "NLMCXR_reports.tgz").unlink()
    said = run("openi", "--root", root, code=1).stdout
    assert "missing           reports\n" in said
    assert "looked for: NLMCXR_reports.tgz or ecgen-radiology/*.xml" in said
    assert "https://openi.nlm.nih.gov/faq" in said
    assert said.endswith("Not right: reports.\n")


def test_what_is_odd_in_the_published_files_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(LAYOUTS)
    importlib.import_module("layout_chexpert").write_test_labels(tmp_path, shifted=True)
    said = run("chexpert", "--root", tmp_path).stdout
    assert "odd, and dealt with  rows of chexpert_labels.csv" in said
    assert said.endswith("All that is needed is here.\n")


def test_a_phantom_that_was_stopped_is_told(tmp_path: Path) -> None:
    (tmp_path / ".hilum-parts").mkdir()
    said = " ".join(run("phantom", "--root", tmp_path, code=1).stdout.split())
    assert "unfinished run" in said
    assert "repeat the same command" in said


def test_a_wrong_folder(root: Path, tmp_path: Path) -> None:
    said = run("chexpert", "--root", root, code=1).stdout
    assert "missing           a table of labels (train, valid or test)" in said
    said = run("openi", "--root", tmp_path / "none", code=1).stdout
    assert "wrong  folder" in said
    assert "does not exist" in said
    (root / "mesh_gold_dev.csv").write_text("a,b\n1,2\n")
    said = run("openi", "--root", root, code=1).stdout
    assert "no column 'filename'" in said
    assert said.endswith("Not right: can be read.\n")


def test_json_has_all_of_it(root: Path) -> None:
    found = json.loads(run("openi", "--root", root, "--json").stdout)
    assert (found["ok"], found["data_set"], found["synthetic"]) == (True, "openi", False)
    assert found["counts"]["studies"] == 4
    assert {item["status"] for item in found["items"]} <= {"found", "in part"}
    assert "images_opened" not in found
    (root / "NLMCXR_reports.tgz").unlink()
    found = json.loads(run("openi", "--root", root, "--json", code=1).stdout)
    assert found["ok"] is False
    assert found["counts"] == {}


def test_images_are_opened_and_those_that_fail_are_told(root: Path) -> None:
    pytest.importorskip("cv2", reason="opencv is not installed (extra: images)")
    pytest.importorskip("PIL", reason="pillow is not installed (extra: images)")
    assert (
        f"{IMAGES} of {IMAGES} images drawn at random could be read."
        in run("openi", "--root", root, "--images", 50).stdout
    )
    broken = root / "images" / "CXR2_IM-0652-1001.png"
    broken.write_bytes(broken.read_bytes()[:40])
    said = run("openi", "--root", root, "--images", 50, code=1).stdout
    assert f"{IMAGES - 1} of {IMAGES} images drawn at random could be read." in said
    assert "CXR2_IM-0652-1001.png" in said
    assert said.endswith("Not right: images that cannot be read.\n")
    some = check("openi", root, images=2, seed=3)
    assert some == check("openi", root, images=2, seed=3)
    assert some.opened is not None
    assert (some.opened.tried, some.opened.read + len(some.opened.problems)) == (2, 2)


def test_without_images_none_are_opened(root: Path) -> None:
    for path in (root / "images").iterdir():
        path.unlink()
    if importlib.util.find_spec("cv2") and importlib.util.find_spec("PIL"):
        assert "No image is here that could be opened." in run("openi", "--root", root, "--images", 3).stdout
    with pytest.raises(InputError, match="-1 images cannot be opened"):
        check("openi", root, images=-1)


def test_wrong_commands_end_with_2_and_a_next_step(root: Path) -> None:
    assert "There is no data set 'openl'. Did you mean 'openi'" in run("openl", "--root", root, code=2).stderr
    assert "hilum doctor openi --root DIR" in run("openi", code=2).stderr
    assert "Which data set is in" in run("--root", root, code=2).stderr
    with pytest.raises(UnknownNameError):
        check("openl", root)
