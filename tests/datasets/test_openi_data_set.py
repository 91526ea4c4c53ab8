"""Open-I as a data set: invented reports, and the real ones where they are."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import layout_openi
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import View
from hilum.core.vocabulary import State
from hilum.datasets import Checkup, ItemStatus, get_data_set
from hilum.datasets.openi import image_ids, image_key

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "openi"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    layout_openi.write(tmp_path / "openi")
    return tmp_path / "openi"


def items(found: Checkup) -> dict[str, tuple[ItemStatus, int]]:
    return {item.what: (item.status, item.found) for item in found.items}


def test_studies_have_report_images_views_labels_and_split(root: Path) -> None:
    studies = {study.id: study for study in get_data_set("openi", root).studies()}
    assert list(studies) == ["CXR1", "CXR2", "CXR3", "CXR10"]
    one = studies["CXR1"]
    assert one.report is not None
    assert [section.name for section in one.report.sections or ()] == ["findings", "impression"]
    assert "Hernia" not in one.report.text
    assert [(i.id, i.view) for i in one.images] == [
        ("CXR1_1_IM-0001-3001", View.LATERAL),
        ("CXR1_1_IM-0001-4001", View.FRONTAL),
    ]
    assert all(i.path is not None and i.path.is_file() for i in one.images)
    assert (one.split, one.licence, one.patient) == ("test", "CC BY-NC-ND 4.0", "")
    assert one.labels["mesh"]["No Finding"] is State.POSITIVE
    assert one.labels["mesh"]["Edema"] is State.NEGATIVE
    assert studies["CXR10"].labels["chexpert"]["Atelectasis"] is State.UNCERTAIN
    assert studies["CXR10"].images[1].view is View.UNKNOWN
    assert studies["CXR10"].split == ""
    assert studies["CXR3"].report is not None
    assert (studies["CXR3"].report.text, studies["CXR3"].labels) == ("", {})


def test_a_split_has_its_studies_alone(root: Path) -> None:
    data = get_data_set("openi", root)
    assert [study.id for study in data.studies("train")] == ["CXR2"]
    assert list(data.studies("val")) == []
    with pytest.raises(UnknownNameError, match="Did you mean 'val'"):
        data.studies("valid")
    (root / "r2gen_annotation.json").unlink()
    with pytest.raises(InputError, match="r2gen_annotation"):
        data.studies("train")


def test_unpacked_reports_give_the_same_studies(root: Path, tmp_path: Path) -> None:
    archived = list(get_data_set("openi", root).studies())
    (root / "NLMCXR_reports.tgz").unlink()
    folder = root / "ecgen-radiology"
    folder.mkdir()
    for number in layout_openi.REPORTS:
        (folder / f"{number}.xml").write_bytes(layout_openi.xml(number))
    unpacked = list(get_data_set("openi", root).studies())
    assert [(s.id, s.report, len(s.images)) for s in unpacked] == [
        (s.id, s.report, len(s.images)) for s in archived
    ]
    assert [s.id for s in get_data_set("openi", folder).studies()] == [s.id for s in archived]


def test_the_names_of_all_distributions_are_one_key() -> None:
    same = ("CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-3001.png", "1_IM-0001-3001.dcm.png", "1_IM-0001-3001.dcm")
    assert {image_key(name) for name in same} == {"1_IM-0001-3001"}
    assert image_key("CXR2084_IM-0715-1001-0002.png") == "2084_IM-0715-1001-0002"
    assert image_key("0.png") == ""
    assert image_ids(b"<broken") == ()


def test_images_that_are_not_here_are_counted(root: Path) -> None:
    (root / "images" / "CXR2_IM-0652-1001.png").unlink()
    (root / "images" / "CXR77_IM-0001-1001.png").write_bytes(b"")
    data = get_data_set("openi", root)
    assert sum(len(study.images) for study in data.studies()) == 4
    assert data.dropped.lines() == ["1 images that a report names and that are not here: CXR2_IM-0652-1001"]
    found = data.check()
    assert found.ok
    assert items(found)["images named in the reports"] == (ItemStatus.PART, 4)
    assert items(found)["images not named in the reports"] == (ItemStatus.PART, 1)
    assert items(found)["reports with findings or impression"] == (ItemStatus.FOUND, 3)
    assert found.counts["studies of split test"] == 1


def test_faults_of_tables_are_found(root: Path) -> None:
    with (root / "mesh_gold_dev.csv").open("a") as file:
        file.write(
            "CXR3,0,0,7,0,0,0,0,0,0,0,0,0,0,0,0\nCXR1" + ",1" * 15 + "\nCXR2,1,0\nCXR99" + ",0" * 15 + "\n"
        )
    with (root / "projections.csv").open("a") as file:
        file.write("2,2_IM-0652-1001.dcm.png,Oblique\n")
    data = get_data_set("openi", root)
    studies = {study.id: study for study in data.studies()}
    assert "mesh" not in studies["CXR3"].labels
    assert studies["CXR1"].labels["mesh"]["Edema"] is State.NEGATIVE
    found = data.check()
    assert not found.ok
    wrong = {item.what: item.note for item in found.items if item.status is ItemStatus.WRONG}
    assert set(wrong.values()) == {
        "mesh_gold_dev.csv row 4", "mesh_gold_dev.csv row 5 CXR1", "mesh_gold_dev.csv row 6", "2_IM-0652-1001.dcm.png",
    }  # fmt: skip
    assert found.left_out == ("1 rows of labels (mesh) whose report is not here: CXR99",)


def test_tables_of_another_kind_are_told_and_not_raised_by_check(root: Path) -> None:
    (root / "mesh_gold_dev.csv").write_text("study,Edema,Fracture\na,1,0\n")
    data = get_data_set("openi", root)
    with pytest.raises(
        InputError, match=r"no column 'filename'\. Needed: filename\. Columns there are: study, Edema"
    ):
        data.studies()
    (item,) = (item for item in data.check().items if item.status is ItemStatus.WRONG)
    assert "no column 'filename'" in item.note
    layout_openi.write(root)
    (root / "r2gen_annotation.json").write_text(json.dumps(["CXR1"]))
    with pytest.raises(InputError, match="no annotation file of R2Gen"):
        data.studies()


def test_unreadable_and_repeated_reports_are_counted(root: Path) -> None:
    (root / "NLMCXR_reports.tgz").unlink()
    for name, content in (("1", layout_openi.xml("1")), ("4", b"<eCitation>"), ("5", layout_openi.xml("1"))):
        (root / f"{name}.xml").write_bytes(content)
    data = get_data_set("openi", root)
    assert [study.id for study in data.studies()] == ["CXR1"]
    assert dict(data.dropped.counts)["reports that cannot be read"] == 1
    assert dict(data.dropped.counts)["reports with an id that occurred before"] == 1


def test_a_truncated_archive_is_wrong_and_its_reports_are_kept(root: Path) -> None:
    archive = root / "NLMCXR_reports.tgz"
    content = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(content)[: 3 * len(gzip.compress(content)) // 4])
    found = get_data_set("openi", root).check()
    assert not found.ok
    assert found.counts["studies"] >= 1
    (item,) = (item for item in found.items if item.status is ItemStatus.WRONG)
    assert "truncated or damaged" in item.what


def test_real_counts() -> None:
    """3,955 reports; 3,080 human labels, 749 of them with a finding; splits 2069/296/590; 8 images of 5 studies."""
    if not REAL.is_dir():
        pytest.skip("needs ../shared/data/openi, which is not in this clone")
    data = get_data_set("openi", REAL)
    studies = list(data.studies())
    assert len(studies) == len({study.id for study in studies}) == 3955
    assert Counter(study.split for study in studies) == {"train": 2069, "val": 296, "test": 590, "": 1000}
    gold = [study.labels["mesh"] for study in studies if "mesh" in study.labels]
    assert len(gold) == 3080
    none = gold[0].vocabulary.no_finding
    found = [any(s is State.POSITIVE and n != none for n, s in labels.as_dict().items()) for labels in gold]
    assert (sum(found), sum(labels["No Finding"] is State.POSITIVE for labels in gold)) == (749, 1097)
    assert sum("chexpert" in study.labels for study in studies) == 2573
    assert sum(not (study.report and study.report.text) for study in studies) == 28
    images = [image for study in studies for image in study.images]
    assert len(images) == 8
    assert all(image.view in (View.FRONTAL, View.LATERAL) for image in images)
    assert sum(bool(study.images) for study in studies) == 5
    assert data.dropped.counts.total() == 7470 - 8
