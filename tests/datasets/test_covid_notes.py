"""COVID-19 image data collection: radiographs with clinical notes, CT left out, a licence per image."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_png import write_png

from hilum.core.errors import InputError
from hilum.core.imaging import Study, View
from hilum.datasets import ItemStatus, get_data_set

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "covid_notes"
HEADER = (
    "patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,intubation_present,went_icu,in_icu,"
    "needed_supplemental_O2,extubated,temperature,pO2_saturation,leukocyte_count,neutrophil_count,lymphocyte_count,"
    "view,modality,date,location,folder,filename,doi,url,license,clinical_notes,other_notes,"
)
ROWS = (
    '2,5,M,65,Viral,Y,Y,,,,,,,,,,,,PA,X-ray,"May 2, 2020",Here,images,b.png,10.1/x,u.test,CC BY,"Worse, says she.",,',
    "2,0,M,65,Pneumonia/Viral/COVID-19,Y,Y,,,,,,,,,,,,AP Supine,X-ray,2020,Somewhere,images,a.png,,,CC BY,Fever.,,",
    "2,5,M,65,Pneumonia/Viral/COVID-19,Y,Y,,,,,,,,,,,,Axial,CT,2020,Somewhere,volumes,ct.nii.gz,,,CC BY,A CT.,,",
    "3,,F,,todo,,,,,,,,,,,,,,L,X-ray,2020,,images,c.png,,,,,credit to nobody,",
    "3,,F,,todo,,,,,,,,,,,,,,PA,X-ray,2020,,images,d.png,,,,,,",
    "4,-3,,999,No Finding,,,,,,,,,,,,,,AP semi erect,X-ray,2020,,images,e.png,,,CC0,Before.,,",
    "4,-3,,,No Finding,,,,,,,,,,,,,,oblique,X-ray,2020,,images,f.png,,,CC0,Before.,,",
    "9,1,M,30,todo,,,,,,,,,,,,,,PA,X-ray,2020,,images,a.png,,,CC0,Again.,,",
    "9,2,M,30,todo,,,,,,,,,,,,,,PA,X-ray,2020,,images,gone.png,,,CC0,,,",
    "9,3,M,30,todo,,,,,,,,,,,,,,PA,X-ray,2020,,images,lost.png,,,CC0,A note alone.,,",
)


def write(root: Path) -> Path:
    (root / "metadata.csv").write_text("\n".join((HEADER, *ROWS)) + "\n", encoding="utf-8")
    for name in "abcdef":
        write_png(root / "images" / f"{name}.png")
    return root


def studies(root: Path) -> dict[str, Study]:
    return {study.id: study for study in get_data_set("covid_notes", root).studies()}


def test_notes_are_the_report_and_the_diagnosis_is_no_label(tmp_path: Path) -> None:
    study = studies(write(tmp_path))["b"]
    assert study.report is not None
    assert study.report.text == "Worse, says she."
    assert study.report.meta == {"kind": "clinical notes"}
    assert study.labels == {}
    assert (study.sex, study.age_years, study.licence) == ("M", 65.0, "CC BY")
    assert study.meta == {
        "finding": "Viral",
        "view": "PA",
        "days since the start": "5",
        "RT-PCR positive": "Y",
        "survival": "Y",
        "date": "May 2, 2020",
        "location": "Here",
        "doi": "10.1/x",
        "url": "u.test",
    }


def test_images_of_one_known_day_with_the_same_notes_are_one_study(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert [(i.id, i.view) for i in found["e"].images] == [("e", View.AP), ("f", View.UNKNOWN)]
    assert found["e"].meta["view"] == "AP semi erect, oblique"
    assert [(i.id, i.view) for i in found["c"].images] == [("c", View.LATERAL)]
    assert [(i.id, i.view) for i in found["d"].images] == [("d", View.PA)]


def test_priors_are_by_days_and_need_them(tmp_path: Path) -> None:
    found = studies(write(tmp_path))
    assert found["b"].priors == ("a",)
    assert found["a"].priors == found["c"].priors == found["d"].priors == ()


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    data = get_data_set("covid_notes", write(tmp_path))
    assert [study.id for study in data.studies()] == ["b", "a", "c", "d", "e", "lost"]
    assert dict(data.dropped.counts) == {
        "CT images": 1,
        "rows that repeat an image or name none": 1,
        "images that the table names and that are not here": 2,
        "studies of which neither an image nor a note is here": 1,
        "views that the data set does not describe (kept as unknown)": 1,
        "studies without notes (kept without a report)": 2,
        "studies whose licence nobody states (kept)": 2,
        "ages that are no age (left empty)": 1,
    }


def test_the_smaller_layout_names_images_in_a_column_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(
        "image,filename,patientid,offset,sex,age,view,finding,license,clinical_notes,doi,url\n"
        "images/a.jpg,a.png,1,?,F,40.0,?,todo,CC BY,Cough.,,\n",
        encoding="utf-8",
    )
    write_png(tmp_path / "images" / "a.jpg")
    (study,) = get_data_set("covid_notes", tmp_path).studies()
    assert (study.images[0].path, study.images[0].view) == (tmp_path / "images" / "a.jpg", View.UNKNOWN)
    assert (study.age_years, study.priors) == (40.0, ())


def test_the_oldest_headers_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text(
        "Patientid,offset,sex,age,finding,survival,view,date,location,filename,doi, url,license,notes\n"
        "5,,,,ARDS,,PA,2017,,a.png,,http://x.test,,Severe ARDS.\n",
        encoding="utf-8",
    )
    write_png(tmp_path / "images" / "a.png")
    (study,) = get_data_set("covid_notes", tmp_path).studies()
    assert study.report is not None
    assert (study.report.text, study.meta["url"]) == ("Severe ARDS.", "http://x.test")


def test_the_checkup_names_missing_images_and_unstated_licences(tmp_path: Path) -> None:
    checkup = get_data_set("covid_notes", write(tmp_path)).check()
    by_what = {item.what: item for item in checkup.items}
    assert by_what["images named in metadata.csv"].status == ItemStatus.PART
    assert "gone.png" in by_what["images named in metadata.csv"].note
    assert "ct.nii.gz" not in by_what["images named in metadata.csv"].note
    assert "c.png" in by_what["licences"].note
    assert (checkup.counts["studies"], checkup.counts["images"], checkup.counts["reports"]) == (6, 6, 4)
    assert checkup.ok


def test_ct_images_that_are_here_are_not_called_strangers(tmp_path: Path) -> None:
    write_png(write(tmp_path) / "images" / "ct.png")
    text = (tmp_path / "metadata.csv").read_text(encoding="utf-8").replace("ct.nii.gz", "ct.png")
    (tmp_path / "metadata.csv").write_text(text, encoding="utf-8")
    whats = [item.what for item in get_data_set("covid_notes", tmp_path).check().items]
    assert "images not named in metadata.csv" not in whats


def test_a_table_without_its_columns_says_which(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    write_png(tmp_path / "images" / "a.png")
    with pytest.raises(InputError, match="filename"):
        get_data_set("covid_notes", tmp_path).studies()
    assert not get_data_set("covid_notes", tmp_path).check().ok


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/covid_notes, which is not in this clone")
def test_the_real_images_and_notes() -> None:
    data = get_data_set("covid_notes", DATA)
    found = list(data.studies())
    images = [image for study in found for image in study.images]
    assert (len(found), len(images)) == (274, 300)
    assert all(study.report for study in found)
    assert sum(image.view == View.LATERAL for image in images) == 42
    assert sum(image.view.is_frontal for image in images) == 219
    assert data.dropped.counts["rows that repeat an image or name none"] == 5
    assert sum(not study.licence for study in found) == 1
    assert data.check().ok
