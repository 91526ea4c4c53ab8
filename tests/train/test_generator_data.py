"""Images with reports: what is read, what is left out and counted, words as numbers, what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tiny_generator import tiny_generator, write_reports

from hilum.core.errors import HilumError, InputError, UnknownNameError
from hilum.datasets._sources import in_part
from hilum.datasets.phantom import build
from hilum.models.generator_spec import END, PAD, UNKNOWN, GeneratorSpec
from hilum.text.report_words import report_sentences
from hilum.train._generator_sides import make_generator_sides
from hilum.train._generator_words import check_known_words, numbered, vocabulary_of
from hilum.train.generator_config import GeneratorTraining
from hilum.train.generator_data import parse_data, read_report_sets


def table(
    folder: Path, rows: list[tuple[str, str, str]], header: tuple[str, ...] = ("path", "report", "patient")
) -> Path:
    for path, _, _ in rows:
        if path and not (folder / path).exists():
            cv2.imwrite(str(folder / path), np.full((40, 40), 7 * len(path) % 250, dtype=np.uint8))
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return folder / "t.csv"


def read(folder: Path, rows: list[tuple[str, str, str]], **choices: Any) -> Any:
    return read_report_sets(tiny_generator(folder, images=table(folder, rows), **choices), tell=print)[0]


def test_the_findings_section_is_what_is_learned(tmp_path: Path) -> None:
    rows = [
        (
            "a.png",
            "INDICATION: Cough.\n\nFINDINGS: No edema.\nHeart is large.\n\nIMPRESSION: Large heart.",
            "p",
        ),
        ("b.png", "Lungs are clear. No effusion.", "q"),
    ]
    found = read(tmp_path, rows)
    assert found.texts == ("No edema.\nHeart is large.", "Lungs are clear. No effusion.")
    assert found.sentences[0] == (("no", "edema"), ("heart", "is", "large"))
    assert found.patients == ("p", "q")
    assert any("1 report has no headings and was taken as findings" in note for note in found.notes)
    whole = read(tmp_path, rows, section="whole")
    assert "IMPRESSION" in whole.texts[0]


def test_what_cannot_be_used_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        ("a.png", "FINDINGS: No edema.", "p"),
        ("b.png", "", "p"),
        ("c.png", "  \n ", "q"),
        ("d.png", "IMPRESSION: Normal.", "q"),
        ("e.png", "FINDINGS: ...", "q"),
        ("", "FINDINGS: Clear.", "q"),
    ]
    found = read(tmp_path, rows)
    assert found.ids == ("a.png",)
    said = " | ".join(found.notes)
    assert "2 empty reports: left out" in said
    assert "1 reports without a findings section: left out" in said
    assert "1 reports without words: left out" in said
    assert "1 rows that name no image: left out" in said


def test_no_report_at_all_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without a findings section.*--section whole"):
        read(tmp_path, [("a.png", "IMPRESSION: Normal.", "p")])
    with pytest.raises(InputError, match="1 empty reports"):
        read(tmp_path, [("a.png", "", "p")])
    path = table(tmp_path, [("a.png", "x", "p")], header=("path", "words", "patient"))
    with pytest.raises(InputError, match="--report-column"):
        read_report_sets(tiny_generator(tmp_path, images=path), tell=print)
    found = read_report_sets(tiny_generator(tmp_path, images=path, report_column="words"), tell=print)[0]
    assert found.texts == ("x",)


def test_an_unreadable_image_costs_itself_alone(tmp_path: Path) -> None:
    path = write_reports(tmp_path, n=20)
    (tmp_path / "images" / "i0-3.png").write_bytes(b"nothing")
    (tmp_path / "images" / "i0-4.png").unlink()
    config = tiny_generator(tmp_path, "out", images=path)
    config.output.mkdir()
    learned, dev = read_report_sets(config, tell=print)
    sides = make_generator_sides(config, learned, dev, tmp_path / "cache", tell=print)
    assert sides.left_out == 2
    assert len(sides.train) + len(sides.dev) == 18
    listed = (config.output / "left_out.csv").read_text(encoding="utf-8")
    assert "i0-3.png" in listed
    assert "there is no such file" in listed
    patients = set(sides.train.patients) & set(sides.dev.patients)
    assert not patients
    assert len(sides.train_rows) == len(sides.train)


@pytest.mark.parametrize(("other", "shared"), [(2, False), (1, True)])
def test_equal_patient_ids_of_two_phantoms_are_two_patients(tmp_path: Path, other: int, shared: bool) -> None:
    for name, seed, n in (("a", 1, 8), ("b", other, 4)):
        build(seed=seed, n=n, size=64).write(tmp_path / name)
    config = tiny_generator(
        tmp_path, "out", data=f"phantom:{tmp_path / 'a'}", dev_data=f"phantom:{tmp_path / 'b'}"
    )
    config.output.mkdir()
    learned, dev = read_report_sets(config, tell=print)
    assert dev is not None
    assert set(dev.studies) & set(learned.studies), "ids are those of the place in the phantom"
    sides = make_generator_sides(config, learned, dev, tmp_path / "cache", tell=print)
    assert bool(set(learned.patients) & set(dev.patients)) == shared
    assert (len(sides.train) < len(learned)) == shared
    assert any("were not learned from" in note for note in sides.notes) == shared


def test_one_report_is_too_few_for_two_sides(tmp_path: Path) -> None:
    config = tiny_generator(tmp_path, "out", images=table(tmp_path, [("a.png", "FINDINGS: Clear.", "p")]))
    config.output.mkdir()
    learned, dev = read_report_sets(config, tell=print)
    with pytest.raises(InputError, match=r"1 image of 1 patient are too few.*--dev-share"):
        make_generator_sides(config, learned, dev, tmp_path / "cache", tell=print)


def test_patients_of_the_dev_set_are_not_learned_from_and_it_can_be_cut(tmp_path: Path) -> None:
    path = write_reports(tmp_path, n=20)
    dev_path = write_reports(tmp_path, n=20, seed=1, name="dev.csv")
    text = dev_path.read_text(encoding="utf-8").replace("p1-0", "p0-0")
    dev_path.write_text(text, encoding="utf-8")
    config = tiny_generator(tmp_path, "out", images=path, dev_images=dev_path, dev_most=7)
    config.output.mkdir()
    learned, dev = read_report_sets(config, tell=print)
    sides = make_generator_sides(config, learned, dev, tmp_path / "cache", tell=print)
    assert (len(sides.train), len(sides.dev)) == (18, 7)
    assert any("2 images of patients of the dev set" in note for note in sides.notes)


# --- data sets ---


def test_a_data_set_is_named_with_folder_split_and_part(tmp_path: Path) -> None:
    found = parse_data(f"phantom:{tmp_path}:train@2/3")
    assert found == ("phantom", tmp_path, "train", 2, 3)
    assert parse_data(f"phantom:{tmp_path}") == ("phantom", tmp_path, None, 1, 1)
    assert parse_data("phantom") == ("phantom", None, None, 1, 1)
    with pytest.raises(UnknownNameError):
        parse_data("phantm:x")
    with pytest.raises(InputError, match="no folder"):
        parse_data(f"phantom:{tmp_path / 'no'}")
    with pytest.raises(InputError, match="part 4 of 3"):
        parse_data(f"phantom:{tmp_path}@4/3")


def test_parts_are_by_patient_and_every_patient_is_in_one() -> None:
    parts = [[name for name in map(str, range(90)) if in_part(name, k, 3)] for k in (1, 2, 3)]
    assert sum(map(len, parts)) == 90
    assert min(map(len, parts)) > 15


def test_the_phantom_has_reports(tmp_path: Path) -> None:
    config = tiny_generator(tmp_path, data="phantom", data_options={"n": 8, "size": 64})
    found = read_report_sets(config, tell=print)[0]
    assert len(found) >= 8
    assert all(text and "FINDINGS" not in text for text in found.texts)
    assert found.digest() == read_report_sets(config, tell=print)[0].digest()
    assert found.digest() != found.take(range(1, 8)).digest()
    with pytest.raises(InputError, match="no option 'm'"):
        read_report_sets(tiny_generator(tmp_path, data="phantom", data_options={"m": 8}), tell=print)
    with pytest.raises(InputError, match="read from files"):
        read_report_sets(tiny_generator(tmp_path, data="openi"), tell=print)


# --- words ---


TEXTS = [
    report_sentences(text)
    for text in ("No edema. Heart is large.", "No edema.", "Effusion. No edema. Heart is large now.")
]


def test_the_vocabulary_has_the_words_that_occur_often_enough() -> None:
    words = vocabulary_of(TEXTS, least_count=2)
    assert words[3:] == ("edema", "no", "heart", "is", "large")
    with pytest.raises(InputError, match="occurs 9 times"):
        vocabulary_of(TEXTS, least_count=9)


def test_unknown_words_are_counted_and_batches_are_as_small_as_they_can_be() -> None:
    spec = GeneratorSpec(vocabulary_of(TEXTS, least_count=2), most_sentences=2, most_words=4)
    found = numbered(TEXTS, spec, what="dev")
    assert found.words_NSW.shape == (3, 2, 4)
    assert found.note.startswith("dev: 1 of 14 words")
    assert "1 sentences" in found.note
    small = found.take(np.array([1]))
    assert small.tolist() == [[[4, 3, END]]]
    assert small.dtype == np.int64
    assert UNKNOWN in found.words_NSW
    assert (found.words_NSW[1, 1] == PAD).all()


def test_a_vocabulary_that_does_not_fit_is_refused_with_the_share(tmp_path: Path) -> None:
    other = GeneratorSpec(vocabulary_of([report_sentences("Dog cat bird.")], least_count=1))
    found = numbered(TEXTS, other, what="to learn from")
    with pytest.raises(InputError, match=r"100.00%.*--most-unknown"):
        check_known_words(found, most=0.25, where=tmp_path)
    check_known_words(found, most=1.0, where=tmp_path)


# --- the configuration ---


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"data": "phantom", "images": Path("x")}, "one data set"),
        ({}, "one data set"),
        ({"images": Path("x"), "stage": "reinforce"}, "--init DIR"),
        ({"images": Path("x"), "freeze_encoder": True}, "learned nothing"),
        ({"images": Path("x"), "init": Path("a"), "classifier": Path("b")}, "Name one"),
        (
            {"images": Path("x"), "classifier": Path("b"), "freeze_encoder": True, "augmentation": "light"},
            "--augment none",
        ),
        ({"data": "phantom", "dev_images": Path("x")}, "--dev-images goes with"),
        ({"images": Path("x"), "dev_data": "phantom"}, "--dev-data goes with"),
        ({"data": "phantom", "dev_data": "phantom"}, "learned"),
        ({"images": Path("x"), "choose_by": "reward"}, "no reward"),
        ({"images": Path("x"), "decay": 1.0}, "decay"),
        ({"images": Path("x"), "beta_uncertain": 1.5}, "beta_uncertain"),
        ({"images": Path("x"), "weight": -1.0}, "weight"),
        ({"images": Path("x"), "section": "impression"}, "section"),
        ({"images": Path("x"), "reward": "bleu"}, "reward"),
        ({"images": Path("x"), "epochs": 0}, "epochs"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(choices: dict[str, Any], said: str) -> None:
    with pytest.raises(HilumError, match=said):
        GeneratorTraining(recipe="small", output=Path("o"), **choices)


def test_where_things_are_decides_nothing_and_all_else_does() -> None:
    base = GeneratorTraining(recipe="small", output=Path("o"), images=Path("a/x.csv"))
    same = GeneratorTraining(
        recipe="small", output=Path("p"), images=Path("b/x.csv"), threads=3, cache=Path("c")
    )
    other = GeneratorTraining(recipe="small", output=Path("o"), images=Path("a/x.csv"), weight=2.0)
    assert base.deciding() == same.deciding()
    assert base.deciding() != other.deciding()
    assert base.chosen_by == "loss"
