"""ChestX-ray14: its tables with commas inside headers, boxes, splits, ages, and copies at another size."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_png import write_png

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Study, View
from hilum.core.vocabulary import State
from hilum.datasets import ItemStatus, get_data_set
from hilum.datasets.nih import age_in_years

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nih_1000"
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
ROWS = (
    "00000001_000.png,Cardiomegaly|Emphysema,1,1,058Y,M,PA,2048,4096,0.1,0.2,",
    "00000001_001.png,Cardiomegaly,0,1,057Y,M,PA,2048,2048,0.143,0.143,",
    "00000002_000.png,No Finding,0,2,414Y,F,AP,2048,2048,0.143,0.143,",
    "00000003_000.png,Hernia|Sarcoidosis,0,3,006M,F,LL,2048,2048,0.143,0.143,",
    "00000003_000.png,Hernia,0,3,006M,F,PA,2048,2048,0.143,0.143,",
    "00000004_000.png,No Finding|Mass,0,4,30,X,PA,2048,2048,0.143,0.143,",
    "00000005_000.png,Mass,0,5,30,F,PA,2048,2048,0.143,0.143,",
)
BOXES = (
    "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
    "00000001_000.png,Infiltrate,256.0,512.0,128.0,64.0,,,\n"
    "00000001_000.png,Gremlin,1,2,3,4,,,\n"
)


def write(
    root: Path, header: str = HEADER, rows: tuple[str, ...] = ROWS, table: str = "Data_Entry_2017_v2020.csv"
) -> Path:
    (root / table).write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    for row in rows:
        name = row.split(",", 1)[0]
        if name != "00000005_000.png":
            write_png(root / "images_001" / "images" / name, width=512, height=512)
    return root


def studies(root: Path) -> dict[str, Study]:
    return {study.id: study for study in get_data_set("nih", root).studies()}


def test_findings_that_are_not_listed_are_negative(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    states = found["00000001_000"].labels["nih"].as_dict()
    assert {name for name, state in states.items() if state == State.POSITIVE} == {
        "Cardiomegaly",
        "Emphysema",
    }
    assert set(states.values()) == {State.POSITIVE, State.NEGATIVE}
    normal = found["00000002_000"].labels["nih"].as_dict()
    assert [name for name, state in normal.items() if state == State.POSITIVE] == ["No Finding"]


def test_headers_split_by_their_own_comma_give_the_spacing_of_the_image_as_it_is_here(tmp_path: Path) -> None:
    study = studies(write(tmp_path))["00000001_000"]
    assert study.images[0].spacing_mm == pytest.approx((0.2 * 4096 / 512, 0.1 * 2048 / 512))
    assert study.meta["original size"] == "2048 x 4096"


def test_no_image_is_opened_when_spacing_is_not_asked_for(tmp_path: Path) -> None:
    root = write(tmp_path)
    for path in root.glob("images_001/images/*.png"):
        path.write_bytes(b"")
    found = list(get_data_set("nih", root, spacing=False).studies())
    assert len(found) == 5
    assert all(study.images[0].spacing_mm is None for study in found)


def test_an_image_whose_header_is_broken_is_kept_and_counted(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "images_001/images/00000001_001.png").write_bytes(b"no png")
    data = get_data_set("nih", root)
    found = {study.id: study for study in data.studies()}
    assert found["00000001_001"].images[0].spacing_mm is None
    assert any(line.startswith("1 images whose size cannot be read") for line in data.dropped.lines())


def test_boxes_are_moved_from_the_released_size_to_that_of_the_image(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "BBox_List_2017.csv").write_text(BOXES, encoding="utf-8")
    data = get_data_set("nih", root)
    (box,) = next(iter(data.studies())).images[0].boxes
    assert (box.finding, box.x0, box.y0, box.x1, box.y1) == ("Infiltration", 128.0, 256.0, 192.0, 288.0)
    assert any(line.startswith("1 boxes without a known finding") for line in data.dropped.lines())


def test_priors_follow_the_visits_and_not_the_names_of_files(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert found["00000001_000"].priors == ("00000001_001",)
    assert found["00000001_001"].priors == ()


def test_people_are_read_and_what_nobody_can_be_is_counted(tmp_path: Path) -> None:
    data = get_data_set("nih", write(tmp_path))
    found = {study.id: study for study in data.studies()}
    assert (found["00000001_000"].patient, found["00000001_000"].sex) == ("1", "M")
    assert found["00000001_000"].age_years == 58.0
    assert found["00000002_000"].age_years is None
    assert found["00000003_000"].age_years == 0.5
    assert found["00000004_000"].sex == ""
    assert found["00000003_000"].images[0].view == View.UNKNOWN
    assert dict(data.dropped.counts) == {
        "rows that repeat an image": 1,
        "images that the table names and that are not here": 1,
        "ages that nobody can have (left empty)": 1,
        "views that are neither PA nor AP (kept as unknown)": 1,
        "findings that the vocabulary nih14 has not (left out)": 1,
        "sexes that are neither F nor M (left empty)": 1,
        "rows with No Finding beside a finding (kept without labels)": 1,
    }


@pytest.mark.parametrize(
    ("text", "years"), [("58", 58.0), ("058Y", 58.0), ("006M", 0.5), ("", None), ("old", None), ("-3", None)]
)
def test_ages(text: str, years: float | None) -> None:
    assert age_in_years(text) == years


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    original = "y],OriginalImagePixelSpacing[x,Height],OriginalImage[Width"
    header = f"Patient Sex,{original},View Position,Finding Labels,Image Index"
    row = "F,0.2,0.1,4096,2048,AP,Edema,00000009_003.png"
    (tmp_path / "Data_Entry_2017.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    write_png(tmp_path / "images" / "00000009_003.png", width=1024, height=1024)
    study = studies(tmp_path)["00000009_003"]
    assert (study.sex, study.images[0].view, study.patient) == ("F", View.AP, "9")
    assert study.images[0].spacing_mm == pytest.approx((0.8, 0.2))


def test_splits_are_those_of_the_lists(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "train_val_list.txt").write_text("00000001_000.png\n00000001_001.png\n", encoding="utf-8")
    (root / "test_list.txt").write_text("00000002_000.png\r\n00000001_001.png\r\n", encoding="utf-8")
    data = get_data_set("nih", root)
    assert [study.id for study in data.studies("train_val")] == ["00000001_000", "00000001_001"]
    assert [study.id for study in data.studies("test")] == ["00000002_000"]
    assert data.dropped.counts["images that two splits list (the first counts)"] == 1
    assert data.check().counts["studies of split test"] == 1
    assert any(item.what == "images in a split" and item.found == 3 for item in data.check().items)


def test_a_split_without_its_list_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"test_list\.txt"):
        get_data_set("nih", write(tmp_path)).studies("test")
    with pytest.raises(UnknownNameError, match="train_val"):
        get_data_set("nih", tmp_path).studies("train")


def test_the_checkup_names_missing_and_stray_images(tmp_path: Path) -> None:
    root = write(tmp_path)
    write_png(root / "images_001" / "images" / "99999999_000.png")
    checkup = get_data_set("nih", root).check()
    by_what = {item.what: item for item in checkup.items}
    assert not checkup.ok
    assert by_what["rows that repeat an image"].status == ItemStatus.WRONG
    assert by_what["rows that repeat an image"].note == "00000003_000.png"
    named = by_what["images named in Data_Entry_2017_v2020.csv"]
    assert (named.status, named.found, named.expected) == (ItemStatus.PART, 5, 6)
    assert "00000005_000" in named.note
    assert "99999999_000" in by_what["images not named in Data_Entry_2017_v2020.csv"].note
    assert checkup.counts["studies"] == 5
    assert any("ages that nobody can have" in line for line in checkup.left_out)


def test_a_table_of_another_data_set_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    write_png(tmp_path / "images" / "a.png")
    with pytest.raises(InputError, match="Finding Labels"):
        get_data_set("nih", tmp_path).studies()
    checkup = get_data_set("nih", tmp_path).check()
    assert not checkup.ok
    assert any(item.status == ItemStatus.WRONG and "Finding Labels" in item.note for item in checkup.items)


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="spacing"):
        get_data_set("nih", tmp_path, spacing="yes")


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/nih_1000, which is not in this clone")
def test_the_thousand_images_of_a_smaller_copy() -> None:
    data = get_data_set("nih", DATA)
    checkup = data.check()
    assert checkup.ok
    assert checkup.left_out == ()
    assert (
        checkup.counts["studies"]
        == checkup.counts["images"]
        == checkup.counts["studies with labels: nih"]
        == 1000
    )
    assert (checkup.counts["patients"], checkup.counts["studies with a prior"]) == (682, 318)
    found = {study.id: study for study in data.studies()}
    assert sum(s.labels["nih"]["Pneumonia"] == State.POSITIVE for s in found.values()) == 500
    assert sum(s.labels["nih"]["No Finding"] == State.POSITIVE for s in found.values()) == 500
    for study in found.values():
        earlier = [found[prior].age_years or 0 for prior in study.priors]
        assert [*earlier, study.age_years] == sorted([*earlier, study.age_years or 0])
        down, across = study.images[0].spacing_mm or (0.0, 0.0)
        assert 0.5 < down < 1.3
        assert 0.5 < across < 1.3
