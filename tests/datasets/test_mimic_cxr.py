"""MIMIC-CXR: folders of PhysioNet, tables in any order of columns, reports, priors, people."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.core.imaging import Study, View
from hilum.core.vocabulary import State
from hilum.datasets import Checkup, ItemStatus, get_data_set

METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning\n"
    "aa-1,10000001,50000002,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.531,CHEST,postero-anterior,Erect\n"
    "aa-2,10000001,50000002,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.531,CHEST,lateral,Erect\n"
    "bb-1,10000001,50000001,CHEST (PORTABLE AP),,2544,3056,21800506,80556.875,CHEST,antero-posterior,\n"
    "cc-1,10000001,50000003,CHEST (PORTABLE AP),AP,2544,3056,21790101,100.0,CHEST,antero-posterior,Recumbent\n"
    "dd-1,11000002,50000004,CHEST (SINGLE VIEW),SWIMMERS,2544,3056,21809999,100.0,CHEST,,\n"
    "aa-2,10000001,50000002,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.531,CHEST,lateral,Erect\n"
    "ee-1,11000009,50000004,CHEST,AP,1,1,21800101,1.0,CHEST,,\n"
    "ff-1,11000003,50000005,CHEST,AP,1,1,21800101,1.0,CHEST,,\n"
    "gg-1,nobody,50000006,CHEST,AP,1,1,21800101,1.0,CHEST,,\n"
)
FINDINGS = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,"
    "No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
CHEXPERT = (
    f"subject_id,study_id,{FINDINGS}\n"
    "10000001,50000002,1.0,,-1.0,0.0,,,,,,,,,,\n"
    "10000001,50000002,0.0,,,,,,,,,,,,,\n"
    "10000001,50000001,2.0,,,,,,,,,,,,,\n"
)
RADIOLOGIST = (
    "Support Devices,study_id,Airspace Opacity,Atelectasis,Cardiomegaly,Consolidation,Edema,"
    "Enlarged Cardiomediastinum,Fracture,Lung Lesion,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax\n"
    "1.0,50000002,1.0,,,,,,,,,,,,-1.0\n"
)
REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough

Findings:

 The lungs are clear.

 IMPRESSION:

 No acute process.
"""


def write(root: Path) -> Path:
    jpg, reports = root / "mimic-cxr-jpg", root / "mimic-cxr-reports"
    for folder, name in (
        ("p10/p10000001/s50000002", "aa-1"),
        ("p10/p10000001/s50000002", "aa-2"),
        ("p10/p10000001/s50000001", "bb-1"),
        ("p11/p11000002/s50000004", "dd-1"),
    ):
        (jpg / "files" / folder).mkdir(parents=True, exist_ok=True)
        (jpg / "files" / folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff")
    for study, text in (("50000002", REPORT), ("50000001", "IMPRESSION: Edema."), ("50000003", " \n")):
        path = reports / "files" / "p10" / "p10000001" / f"s{study}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with gzip.open(jpg / "mimic-cxr-2.0.0-metadata.csv.gz", "wt", encoding="utf-8") as file:
        file.write(METADATA)
    (jpg / "mimic-cxr-2.0.0-split.csv").write_text(
        "dicom_id,study_id,subject_id,split\naa-1,50000002,10000001,train\naa-2,50000002,10000001,train\n"
        "bb-1,50000001,10000001,train\ndd-1,50000004,11000002,validate\ncc-1,50000003,10000001,dev\n",
        encoding="utf-8",
    )
    with gzip.open(jpg / "mimic-cxr-2.0.0-chexpert.csv.gz", "wt", encoding="utf-8") as file:
        file.write(CHEXPERT)
    (jpg / "mimic-cxr-2.1.0-test-set-labeled.csv").write_text(RADIOLOGIST, encoding="utf-8")
    (root / "patients.csv").write_text(
        "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n10000001,F,52,2178,2014 - 2016,\n"
        "11000002,,91,2300,2014 - 2016,\n",
        encoding="utf-8",
    )
    (root / "admissions.csv").write_text(
        "subject_id,hadm_id,race\n10000001,1,UNKNOWN\n10000001,2,UNKNOWN\n10000001,3,WHITE\n11000002,4,OTHER\n",
        encoding="utf-8",
    )
    return root


def studies(root: Path) -> dict[str, Study]:
    return {study.id: study for study in get_data_set("mimic_cxr", root).studies()}


def item(checkup: Checkup, what: str) -> ItemStatus:
    return next(i.status for i in checkup.items if i.what == what)


def test_images_and_report_of_a_study_come_from_two_folders(tmp_path: Path) -> None:
    root = write(tmp_path)
    study = studies(root)["50000002"]
    assert [(i.id, i.view) for i in study.images] == [("aa-1", View.PA), ("aa-2", View.LATERAL)]
    assert study.images[0].path == root / "mimic-cxr-jpg/files/p10/p10000001/s50000002/aa-1.jpg"
    assert study.meta["procedure"] == "CHEST (PA AND LAT)"
    assert study.meta["orientation"] == "Erect"
    report = study.report
    assert report is not None
    bodies = {s.name: report.text[s.start : s.end] for s in report.sections or ()}
    assert bodies["findings"] == "The lungs are clear."
    assert bodies["impression"] == "No acute process."


def test_a_view_that_is_not_given_is_that_of_the_code(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert found["50000001"].images[0].view == View.AP
    assert found["50000004"].images[0].view == View.UNKNOWN


def test_priors_are_in_order_of_time_even_where_times_lost_their_leading_zero(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert found["50000002"].priors == ("50000003", "50000001")
    assert found["50000001"].priors == ("50000003",)
    assert found["50000004"].priors == ()


def test_labels_are_matched_by_name_and_bad_rows_lose_their_labels_alone(tmp_path: Path) -> None:
    data = get_data_set("mimic_cxr", write(tmp_path))
    found = {study.id: study for study in data.studies()}
    chexpert = found["50000002"].labels["chexpert"]
    assert (chexpert["Atelectasis"], chexpert["Consolidation"]) == (State.POSITIVE, State.UNCERTAIN)
    assert (chexpert["Edema"], chexpert["No Finding"]) == (State.NEGATIVE, State.BLANK)
    radiologist = found["50000002"].labels["radiologist"]
    assert radiologist["Lung Opacity"] == radiologist["Support Devices"] == State.POSITIVE
    assert radiologist["Pneumothorax"] == State.UNCERTAIN
    assert "chexpert" not in found["50000001"].labels
    assert any("cell that is no label" in line for line in data.dropped.lines())
    assert any("key that occurred before" in line for line in data.dropped.lines())
    assert "negbio" not in found["50000002"].labels


def test_sex_age_and_race_come_from_mimic_iv(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    study = found["50000002"]
    assert (study.patient, study.sex, study.age_years, study.race) == ("10000001", "F", 54.0, "WHITE")
    other = found["50000004"]
    assert (other.sex, other.age_years, other.race) == ("", None, "OTHER")


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    data = get_data_set("mimic_cxr", write(tmp_path))
    assert [study.id for study in data.studies()] == ["50000002", "50000001", "50000003", "50000004"]
    counts = dict(data.dropped.counts)
    assert counts["rows that repeat an image"] == 1
    assert counts["rows that give a study to a second subject (left out)"] == 1
    assert counts["rows without a subject_id or study_id"] == 1
    assert counts["images that the table names and that are not here"] == 2
    assert counts["studies of which neither an image nor a report is here"] == 1
    assert counts["studies without a report (kept)"] == 1
    assert counts["reports without any text (kept)"] == 1
    assert counts["studies whose date is none (neither with priors nor one)"] == 1
    assert counts["rows without a study or a known split"] == 1


def test_splits(tmp_path: Path) -> None:
    data = get_data_set("mimic_cxr", write(tmp_path))
    assert [study.id for study in data.studies("train")] == ["50000002", "50000001"]
    assert [study.id for study in data.studies("validate")] == ["50000004"]
    assert list(data.studies("test")) == []


def test_a_split_needs_its_table(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-split.csv").unlink()
    assert {study.split for study in get_data_set("mimic_cxr", root).studies()} == {""}
    with pytest.raises(InputError, match=r"split\.csv"):
        get_data_set("mimic_cxr", root).studies("train")


def test_reports_alone_with_the_list_of_studies_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "files" / "p10" / "p10000001" / "s50000001.txt"
    path.parent.mkdir(parents=True)
    path.write_text("Impression: Normal chest.", encoding="utf-8")
    (tmp_path / "cxr-study-list.csv").write_text(
        "subject_id,study_id,path\n10000001,50000001,files/p10/p10000001/s50000001.txt\n", encoding="utf-8"
    )
    (study,) = get_data_set("mimic_cxr", tmp_path).studies()
    assert study.images == ()
    assert study.report is not None
    assert study.report.text == "Impression: Normal chest."
    checkup = get_data_set("mimic_cxr", tmp_path).check()
    assert checkup.ok
    assert (checkup.counts["reports"], checkup.counts["images"]) == (1, 0)


def test_dicom_images_with_the_list_of_records(tmp_path: Path) -> None:
    path = tmp_path / "files" / "p10" / "p10000001" / "s50000001" / "zz-1.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    (tmp_path / "cxr-record-list.csv").write_text(
        "subject_id,study_id,dicom_id,path\np10000001,s50000001,zz-1,files/p10/...\n", encoding="utf-8"
    )
    (study,) = get_data_set("mimic_cxr", tmp_path).studies()
    assert (study.images[0].path, study.images[0].view) == (path, View.UNKNOWN)


def test_the_checkup_says_what_is_there_and_what_is_wrong(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "mimic-cxr-reports/files/p10/p10000001/s59999999.txt").write_text("x", encoding="utf-8")
    checkup = get_data_set("mimic_cxr", root).check()
    assert item(checkup, "table of images") == ItemStatus.FOUND
    assert item(checkup, "reports") == item(checkup, "images") == ItemStatus.PART
    assert item(checkup, "labels, source negbio") == ItemStatus.ABSENT
    assert item(checkup, "reports of studies that no table names") == ItemStatus.PART
    assert item(checkup, "rows that repeat an image") == ItemStatus.WRONG
    assert not checkup.ok
    assert (checkup.counts["studies"], checkup.counts["images"], checkup.counts["patients"]) == (4, 4, 2)


def test_a_report_archive_that_is_still_packed_is_told(tmp_path: Path) -> None:
    root = write(tmp_path)
    for path in sorted((root / "mimic-cxr-reports").rglob("*.txt")):
        path.unlink()
    (root / "mimic-cxr-reports.zip").write_bytes(b"PK")
    checkup = get_data_set("mimic_cxr", root).check()
    note = next(i.note for i in checkup.items if i.what == "reports, still packed")
    assert note.startswith("unpack ")


def test_tables_without_any_file_are_not_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv").write_text(METADATA, encoding="utf-8")
    checkup = get_data_set("mimic_cxr", tmp_path).check()
    assert not checkup.ok
    assert item(checkup, "studies") == ItemStatus.MISSING


def test_a_table_without_its_columns_says_which(tmp_path: Path) -> None:
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="subject_id"):
        get_data_set("mimic_cxr", tmp_path).studies()
