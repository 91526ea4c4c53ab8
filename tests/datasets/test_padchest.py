"""PadChest: lists in cells, mapped labels, excluded images, Spanish reports, resized copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_png import write_png

from hilum.core.errors import InputError
from hilum.core.imaging import Study, View
from hilum.core.vocabulary import State
from hilum.datasets import ItemStatus, get_data_set
from hilum.datasets._padchest_labels import padchest_labels, parse_list

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
COLUMNS = (
    "", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM",
    "ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric", "Modality_DICOM", "Manufacturer_DICOM",
    "PhotometricInterpretation_DICOM", "PixelRepresentation_DICOM", "PixelAspectRatio_DICOM",
    "SpatialResolution_DICOM", "BitsStored_DICOM", "WindowCenter_DICOM", "WindowWidth_DICOM", "Rows_DICOM",
    "Columns_DICOM", "XRayTubeCurrent_DICOM", "Exposure_DICOM", "ExposureInuAs_DICOM", "ExposureTime",
    "RelativeXRayExposure_DICOM", "ReportID", "Report", "MethodLabel", "Labels", "Localizations",
    "LabelsLocalizationsBySentence", "labelCUIS", "LocalizationsCUIS",
)  # fmt: skip
COMMON = {
    "ImageDir": "0",
    "PatientID": "77",
    "PatientBirth": "1950.0",
    "PatientSex_DICOM": "F",
    "PhotometricInterpretation_DICOM": "MONOCHROME2",
    "SpatialResolution_DICOM": "0.1",
    "Rows_DICOM": "64",
    "Columns_DICOM": "32",
    "Pediatric": "No",
    "MethodLabel": "Physician",
}
ROWS = (
    {"ImageID": "1_a.png", "StudyID": "1", "StudyDate_DICOM": "20140915", "Projection": "PA",
     "Report": "sin hallazg patolog .", "Labels": "['normal']"},
    {"ImageID": "2_a.png", "StudyID": "2", "StudyDate_DICOM": "20150302", "Projection": "L",
     "Report": "cardiomegali . marcap .", "Labels": "['cardiomegaly', ' pacemaker', 'cardiomegaly', 'scoliosis']"},
    {"ImageID": "2_b.png", "StudyID": "2", "StudyDate_DICOM": "20150302", "Projection": "AP_horizontal",
     "Report": "cardiomegali . marcap .", "Labels": "['cardiomegaly', ' pacemaker', 'cardiomegaly', 'scoliosis']",
     "PhotometricInterpretation_DICOM": "MONOCHROME1"},
    {"ImageID": "3_a.png", "StudyID": "3", "StudyDate_DICOM": "20140231", "Projection": "COSTAL", "ImageDir": "54",
     "Report": "", "Labels": "['rib fracture', 'goblin']", "PatientSex_DICOM": "O", "MethodLabel": "RNN_model"},
    {"ImageID": "4_a.png", "StudyID": "4", "StudyDate_DICOM": "20140101", "Projection": "EXCLUDE",
     "Report": "no valor .", "Labels": "['exclude']"},
    {"ImageID": "5_a.png", "StudyID": "5", "StudyDate_DICOM": "20160101", "Projection": "AP",
     "Report": "derram .", "Labels": "__import__('os').abort()", "PatientBirth": "1850.0"},
    {"ImageID": "1_a.png", "StudyID": "1", "StudyDate_DICOM": "20140915", "Projection": "PA",
     "Report": "sin hallazg patolog .", "Labels": "['normal']"},
    {"ImageID": "6_gone.png", "StudyID": "6", "StudyDate_DICOM": "20130101", "Projection": "PA",
     "Report": "sin cambi .", "Labels": ""},
)  # fmt: skip


def write(root: Path, *, columns: tuple[str, ...] = COLUMNS, images: str = "{folder}") -> Path:
    lines = [",".join(columns)]
    for number, row in enumerate(ROWS):
        cells = COMMON | row | {"": str(number)}
        lines.append(",".join(f'"{cells.get(column, "")}"' for column in columns))
        if not row["ImageID"].startswith("6"):
            folder = images.format(folder=cells["ImageDir"])
            write_png(root / folder / row["ImageID"], width=16, height=16, bits=16)
    (root / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def studies(root: Path) -> dict[str, Study]:
    return {study.id: study for study in get_data_set("padchest", root).studies()}


def positive(study: Study) -> set[str]:
    return {name for name, state in study.labels["padchest"].as_dict().items() if state == State.POSITIVE}


def test_images_of_one_study_come_together_and_reports_are_spanish(tmp_path: Path) -> None:
    root = write(tmp_path)
    study = studies(root)["2"]
    assert [(i.id, i.view) for i in study.images] == [("2_a", View.LATERAL), ("2_b", View.AP)]
    assert study.images[0].path == root / "0" / "2_a.png"
    assert study.report is not None
    assert study.report.text == "cardiomegali . marcap ."
    assert study.report.meta == {"language": "es"}
    assert study.meta["language"] == "es"
    assert study.meta["label method"] == "Physician"
    assert study.meta["projections"] == "L, AP_horizontal"
    assert study.meta["MONOCHROME1 originals"] == "2_b.png"
    assert study.meta["date"] == "2015-03-02"


def test_labels_are_mapped_and_what_is_not_listed_is_blank(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert positive(found["1"]) == {"No Finding"}
    assert positive(found["2"]) == {"Cardiomegaly", "Support Devices"}
    assert positive(found["3"]) == {"Fracture"}
    assert found["2"].labels["padchest"]["Edema"] == State.BLANK
    assert found["5"].labels == found["6"].labels == {}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (["normal"], {"No Finding"}),
        (["pacemaker"], {"Support Devices", "No Finding"}),
        (["normal", "scoliosis"], set()),
        (["unchanged"], set()),
        (["hydropneumothorax"], {"Pneumothorax", "Pleural Effusion"}),
        (["Pleural  Effusion"], {"Pleural Effusion"}),
        (["consolidation"], {"Consolidation"}),
        ([], set()),
    ],
)
def test_no_finding_needs_that_nothing_abnormal_is_listed(listed: list[str], expected: set[str]) -> None:
    states = padchest_labels().map(listed).labels.as_dict()
    assert {name for name, state in states.items() if state != State.BLANK} == expected


def test_the_mapping_names_every_finding_but_no_finding() -> None:
    mapping = padchest_labels()
    mapped = {finding for findings in mapping.findings.values() for finding in findings}
    assert mapped == set(mapping.vocabulary.names) - {mapping.vocabulary.no_finding}
    assert mapping.map(["goblin", "scoliosis"]).unknown == ("goblin",)
    assert mapping.map(["goblin", "scoliosis"]).elsewhere == ("goblin", "scoliosis")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("['normal']", ("normal",)),
        ("[' pleural effusion', 'nodule ', 'nodule']", ("pleural effusion", "nodule")),
        ("""["crohn's sign", 'mass',]""", ("crohn's sign", "mass")),
        ("['']", ()),
        ("[]", ()),
        ("[nan, 'mass']", ("mass",)),
        ("['a' 'b']", None),
        ("['a', __import__('os')]", None),
        ("normal", None),
        ("", None),
        ("['a'", None),
        ("[" * 50_000 + "]" * 50_000, None),
    ],
)
def test_lists_are_read_and_never_evaluated(text: str, expected: tuple[str, ...] | None) -> None:
    assert parse_list(text) == expected


def test_ages_sexes_and_priors(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert (found["1"].age_years, found["1"].sex) == (64.0, "F")
    assert (found["3"].age_years, found["3"].sex) == (None, "")
    assert found["5"].age_years is None
    assert found["2"].priors == ("6", "1")
    assert found["3"].priors == ()


def test_spacing_is_that_of_the_image_as_it_is_here(tmp_path: Path) -> None:
    image = studies(write(tmp_path))["1"].images[0]
    assert image.spacing_mm == pytest.approx((0.1 * 64 / 16, 0.1 * 32 / 16))
    (bare, *_) = get_data_set("padchest", tmp_path, spacing=False).studies()
    assert bare.images[0].spacing_mm is None


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    data = get_data_set("padchest", write(tmp_path))
    assert [study.id for study in data.studies()] == ["1", "2", "3", "5", "6"]
    assert dict(data.dropped.counts) == {
        "rows that repeat an image": 1,
        "images that PadChest excludes (projection EXCLUDE)": 1,
        "images that the table names and that are not here": 1,
        "studies of which neither an image nor a report is here": 1,
        "studies whose date is none (neither with priors nor one)": 1,
        "studies without a report (kept)": 1,
        "studies whose labels are no list (kept)": 1,
        "studies without labels (kept)": 1,
        "labels that stand for no finding of the vocabulary (left out)": 2,
        "labels that padchest_labels.toml does not know": 1,
        "sexes that are neither F nor M (left empty)": 1,
        "ages that nobody can have (left empty)": 1,
    }


def test_columns_may_stand_in_any_order_and_images_in_one_folder(tmp_path: Path) -> None:
    found = studies(write(tmp_path, columns=tuple(reversed(COLUMNS)), images="images-224"))
    assert positive(found["2"]) == {"Cardiomegaly", "Support Devices"}
    assert found["2"].images[0].path == tmp_path / "images-224" / "2_a.png"


def test_the_checkup_names_missing_and_stray_images(tmp_path: Path) -> None:
    root = write(tmp_path)
    write_png(root / "1" / "stray.png")
    checkup = get_data_set("padchest", root).check()
    by_what = {item.what: item for item in checkup.items}
    named = by_what[f"images named in {TABLE}"]
    assert (named.status, named.found, named.expected) == (ItemStatus.PART, 6, 7)
    assert "6_gone.png" in named.note
    assert "stray.png" in by_what[f"images not named in {TABLE}"].note
    assert by_what["rows that repeat an image"].status == ItemStatus.WRONG
    assert (checkup.counts["studies"], checkup.counts["reports"]) == (5, 4)


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="spacing"):
        get_data_set("padchest", tmp_path, spacing="yes")
