"""Images and labels on their way to a training: read, joined, decoded, brought in batches."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_classifier import FINDINGS, SIZE, invented_rows, tiny_classifier, write_images
from tiny_training import write_csv

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Image, Study, View
from hilum.core.matrix import LEFT_OUT
from hilum.core.records import Labels
from hilum.core.vocabulary import CHEXPERT14, NIH14, State
from hilum.images.transforms import get_augmentation
from hilum.models.classifier_spec import ClassifierSpec, channels_of
from hilum.train import image_cache
from hilum.train._classifier_results import tables_of
from hilum.train.classifier import DevScores, train_classifier
from hilum.train.classifying import normalised
from hilum.train.image_cache import decode
from hilum.train.image_data import ImageRows, Loader, image_batches
from hilum.train.image_reading import _source_of, findings_of, from_studies, read_data_set, read_table
from hilum.train.image_set import ImageSet

LIGHT, NONE = get_augmentation("light"), get_augmentation("none")


def rewrite(path: Path, change: Any) -> None:
    """Change the rows of a csv by a function of all its rows."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(change(rows))


def test_a_table_gives_paths_patients_and_states(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    found = read_table(tmp_path / "images.csv", config)
    rows = invented_rows(60)
    assert found.ids == tuple(path for path, _, _ in rows)
    assert found.patients == tuple(patient for _, patient, _ in rows)
    assert found.sources[0] == tmp_path / rows[0][0]
    codes = {1: State.POSITIVE, 0: State.NEGATIVE, -1: State.UNCERTAIN, None: State.BLANK}
    assert found.states_NF.tolist() == [[codes[c] for c in row] for _, _, row in rows]


def test_rows_without_image_or_without_label_are_counted(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)

    def change(rows: list[list[str]]) -> list[list[str]]:
        rows[0].append("No Finding")
        rows = [rows[0], *([*row, "0"] for row in rows[1:])]
        rows[1][0] = ""
        rows[2][2:] = [""] * 4
        return rows

    rewrite(tmp_path / "images.csv", change)
    found = read_table(tmp_path / "images.csv", config)
    assert len(found) == 58
    assert "1 row of labels names no image and was left out" in found.notes
    assert "1 image without any label was left out" in found.notes


def test_what_a_labeler_gave_no_label_is_not_learned_as_negative(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    rows = invented_rows(60)
    labels = tmp_path / "labels.csv"
    write_csv(
        labels,
        ["Path", *FINDINGS, "abstained", "status"],
        [
            [rows[0][0], 1, "", "", FINDINGS[1], "labeled"],
            [rows[1][0], "", "", "", "", "failed"],
            [rows[2][0], "", 0, "", "", "labeled"],
        ],
    )
    found = read_table(tmp_path / "images.csv", replace(config, labels=labels))
    assert found.ids == (rows[0][0], rows[2][0])
    assert found.states_NF[0].tolist() == [State.POSITIVE, LEFT_OUT, State.BLANK]
    assert "1 image without any label was left out" in found.notes


def test_labels_of_another_file_are_joined_by_key(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    rows = invented_rows(60)
    labels = tmp_path / "labels.csv"
    labeled = [[path, 1, 0, ""] for path, _, _ in reversed(rows[:40])]
    write_csv(labels, ["Path", *FINDINGS], [*labeled, ["images/nowhere.png", 1, 1, 1]])
    found = read_table(tmp_path / "images.csv", replace(config, labels=labels))
    assert len(found) == 40
    assert found.states_NF[0].tolist() == [State.POSITIVE, State.NEGATIVE, State.BLANK]
    assert "20 images have no labels and were left out" in found.notes
    assert "1 rows of labels have no image and were left out" in found.notes
    labels.write_text(f"Path,{FINDINGS[0]}\nother.png,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="No image of"):
        read_table(tmp_path / "images.csv", replace(config, labels=labels))


def test_a_table_without_images_patients_or_findings_is_told(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    table = tmp_path / "other.csv"
    table.write_text(f"where,{FINDINGS[0]}\nimages/i0-0.png,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="--path-column"):
        read_table(table, config)
    found = read_table(table, replace(config, path_column="where"))
    assert any("no column of patients" in note for note in found.notes)
    with pytest.raises(InputError, match="has no labels for Pneumonia"):
        findings_of(replace(config, findings=("Pneumonia",)), found)
    with pytest.raises(UnknownNameError, match="Edema"):
        findings_of(replace(config, findings=("Edma",)), found)
    with pytest.raises(InputError, match="--images FILE"):
        train_classifier(replace(config, images=None))


def study(name: str, states: Sequence[State], *, image: Image | None = None, source: str = "image") -> Study:
    pixels = np.full((1, 40, 40), 0.5, dtype=np.float32)
    shown = Image(f"{name}-1", pixels=pixels, view=View.PA) if image is None else image
    whole = (*states, *([State.BLANK] * (len(CHEXPERT14) - len(states))))
    return Study(name, patient=f"p{name}", images=(shown,), labels={source: Labels(CHEXPERT14, whole)})


def test_studies_give_frontal_images_with_labels_and_the_rest_is_counted(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path, data="phantom", source="image")
    side = Image("side", pixels=np.zeros((1, 8, 8), np.float32), view=View.LATERAL)
    studies = [
        study("a", [State.POSITIVE]),
        study("b", [State.NEGATIVE]),
        study("c", [State.POSITIVE], image=side),
        study("d", [State.POSITIVE], image=Image("nothing")),
        study("e", [State.POSITIVE], source="report"),
        replace(study("f", [State.POSITIVE]), images=()),
    ]
    found = from_studies(studies, source="image", config=config)
    assert found.ids == ("a-1", "b-1")
    assert found.patients == ("pa", "pb")
    assert isinstance(found.sources[0], np.ndarray)
    assert found.sources[0].shape == (SIZE, SIZE)
    assert set(found.notes) == {
        "1 studies without labels of 'image' were left out", "1 studies without images were left out",
        "1 lateral images were left out", "1 images with neither file nor pixels were left out",
    }  # fmt: skip
    every = from_studies(studies, source="image", config=replace(config, views="all"))
    assert len(every) == 3
    with pytest.raises(InputError, match="no image has labels"):
        from_studies([], source="image", config=config)


def test_a_data_set_is_read_by_name_and_its_source_must_be_said(tmp_path: Path) -> None:
    options = {"n": 6, "size": 64, "seed": 3}
    config = tiny_classifier(tmp_path, data="phantom", data_options=options, source="image")
    found = read_data_set(config, split=None, tell=lambda _: None)
    assert found.findings == CHEXPERT14.names
    assert 6 <= len(found) <= 12
    assert found.digest() == read_data_set(config, split=None, tell=lambda _: None).digest()
    with pytest.raises(InputError, match="image, report, whole report"):
        read_data_set(replace(config, source=None), split=None, tell=lambda _: None)
    with pytest.raises(InputError, match=r"choose with --labels SOURCE"):
        read_data_set(replace(config, source=None), split=None, tell=lambda _: None)
    with pytest.raises(InputError, match=r"no label file nope .* has labels of: image, report, whole report"):
        read_data_set(replace(config, source="nope"), split=None, tell=lambda _: None)
    with pytest.raises(InputError, match=r"has no labels of its own.*--labels FILE"):
        _source_of("covid_notes", (), replace(config, source=None))
    with pytest.raises(InputError, match=r"no option 'sise'\. Options: seed, n, size"):
        read_data_set(replace(config, data_options={"sise": 64}), split=None, tell=lambda _: None)
    with pytest.raises(InputError, match="--root DIR"):
        read_data_set(
            replace(config, data="nih", data_options={}, source="nih"), split=None, tell=lambda _: None
        )


def test_findings_that_a_set_does_not_have_are_unknown() -> None:
    images = ImageSet(
        "x", NIH14, ("Mass",), ("a",), ("a",), ("",), (np.zeros((2, 2), np.uint8),), np.ones((1, 1), np.int8)
    )
    both = images.select(["Mass", "Nodule"])
    assert both.states_NF.tolist() == [[State.POSITIVE, LEFT_OUT]]


# --- decoding ---


def test_bad_files_cost_themselves_alone_and_are_listed(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path, epochs=1)
    (tmp_path / "images" / "i0-3.png").unlink()
    (tmp_path / "images" / "i0-5.png").write_bytes(b"no image at all")
    whole = (tmp_path / "images" / "i0-7.png").read_bytes()
    (tmp_path / "images" / "i0-7.png").write_bytes(whole[: len(whole) // 2])
    result = train_classifier(config)
    assert result.finished
    assert result.left_out == 3
    text = (tmp_path / "run" / "left_out.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    assert [row[0] for row in rows[1:]] == ["images/i0-3.png", "images/i0-5.png", "images/i0-7.png"]
    assert rows[1][1] == "there is no such file"
    assert any("3 images could not be read" in note for note in result.notes)
    assert result.steps[0].train_rows + result.steps[0].dev_rows == 57


def test_no_good_image_at_all_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"None of 60 images can be used: .*i0-0\.png.*left_out\.csv"):
        train_classifier(config)
    lines = (tmp_path / "run" / "left_out.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 61
    assert lines[1].startswith('images/i0-0.png,"is a text file')


def test_an_image_that_is_named_twice_is_counted(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    rewrite(tmp_path / "images.csv", lambda rows: [*rows, rows[1], rows[2]])
    found = read_table(tmp_path / "images.csv", config)
    assert "2 rows name images that an earlier row names; all are used" in found.notes


def test_without_patients_the_scores_claim_none_and_intervals_are_by_image() -> None:
    truth_NF = np.array([[0], [1]] * 4, dtype=np.int8)
    names = tuple(f"i{i}" for i in range(8))

    def note(*patients: str) -> str:
        dev = DevScores(("Edema",), names, patients, truth_NF, np.arange(8.0)[:, None], (1.0,))
        return tables_of(dev, seed=1, replicates=20)[0].note

    said = note(*[""] * 8)
    assert "On 8 images of patients that are not named;" in said
    assert "replicates of images, not of patients" in said
    assert "On 8 images of 2 patients;" in note(*["a", "b"] * 4)
    assert "On 8 images of 1 patient (4 without a named patient);" in note(*["a", ""] * 4)


def test_one_class_only_is_told_in_a_whole_sentence(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path)
    rewrite(tmp_path / "images.csv", lambda rows: [rows[0], *([*row[:2], "1", "1", "1"] for row in rows[1:])])
    with pytest.raises(
        InputError, match=r"images to learn from \(.*\), so nothing can be learned\. Next step"
    ):
        train_classifier(config)


def test_decoding_that_was_stopped_goes_on_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, n=20)
    paths = [tmp_path / path for path, _, _ in invented_rows(20)]
    paths[13].write_bytes(b"bad")
    whole = decode(paths, tmp_path / "a", size=24, fit="pad", workers=1)
    monkeypatch.setattr(image_cache, "_ROWS_BETWEEN_SAVES", 4)
    real, count = image_cache._one, 0

    def dies(source: Any, size: int, fit: str) -> Any:
        nonlocal count
        count += 1
        if count > 10:
            raise KeyboardInterrupt
        return real(source, size, fit)

    monkeypatch.setattr(image_cache, "_one", dies)
    with pytest.raises(KeyboardInterrupt):
        decode(paths, tmp_path / "b", size=24, fit="pad", workers=1)
    record = json.loads(next((tmp_path / "b").glob("*.json")).read_bytes())
    assert record["done"] == 8
    monkeypatch.setattr(image_cache, "_one", real)
    again = decode(paths, tmp_path / "b", size=24, fit="pad", workers=3)
    assert np.array_equal(again.pixels_NHW, whole.pixels_NHW)
    assert [one.place for one in again.failed] == [13]
    assert 13 not in again.good()


def test_decoded_images_are_found_again_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, n=4)
    paths = [tmp_path / path for path, _, _ in invented_rows(4)]
    first = decode(paths, tmp_path / "cache", size=24, fit="pad", workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(image_cache, "_one", None)
        assert np.array_equal(
            decode(paths, tmp_path / "cache", size=24, fit="pad", workers=1).pixels_NHW, first.pixels_NHW
        )
    paths[0].write_bytes(paths[1].read_bytes())
    changed = decode(paths, tmp_path / "cache", size=24, fit="pad", workers=1)
    assert np.array_equal(changed.pixels_NHW[0], changed.pixels_NHW[1])


# --- sides ---


def test_images_of_one_patient_and_equal_images_stay_on_one_side(tmp_path: Path) -> None:
    table = write_images(tmp_path, n=40)
    for i in range(0, 40, 8):  # the first image of a patient is also one of the next but one
        (tmp_path / f"images/i0-{i + 4}.png").write_bytes((tmp_path / f"images/i0-{i}.png").read_bytes())
    result = train_classifier(tiny_classifier(tmp_path, epochs=1, images=table))
    assert result.dev is not None
    chosen = set(result.dev.ids)
    for i in range(0, 40, 2):
        assert (f"images/i0-{i}.png" in chosen) == (f"images/i0-{i + 1}.png" in chosen)
    for i in range(0, 40, 8):
        assert (f"images/i0-{i}.png" in chosen) == (f"images/i0-{i + 4}.png" in chosen)


def test_a_dev_set_of_its_own_takes_its_patients_out_of_the_training(tmp_path: Path) -> None:
    config = tiny_classifier(tmp_path, epochs=1)
    rewrite(write_images(tmp_path, n=30, name="dev.csv"), lambda rows: rows[:21])
    result = train_classifier(replace(config, dev_images=tmp_path / "dev.csv"))
    assert (result.steps[0].train_rows, result.steps[0].dev_rows) == (40, 20)
    assert "20 images of patients of the dev set were not learned from" in result.notes


# --- batches ---


def rows_of(n: int = 30, size: int = 16) -> ImageRows:
    pixels = np.random.default_rng(0).integers(0, 256, (n, size, size), dtype=np.uint8)
    return ImageRows(pixels, np.arange(n)[::-1].copy())


def test_batches_hold_every_row_once_and_none_alone() -> None:
    batches = image_batches(33, batch_size=8, seed=0, names=("labels", 0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(33))
    assert [len(one) for one in batches] == [8, 8, 8, 9]
    again = image_batches(33, batch_size=8, seed=0, names=("labels", 0))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    other = image_batches(33, batch_size=8, seed=0, names=("labels", 1))
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


@pytest.mark.parametrize("augmentation", [NONE, LIGHT], ids=["none", "light"])
def test_what_is_brought_depends_on_seed_epoch_and_row_alone(augmentation: Any) -> None:
    rows = rows_of()
    batches = image_batches(30, batch_size=8, seed=0, names=("t", 0))
    found = []
    for workers, begin in ((1, 0), (4, 0), (2, 2)):
        loader = Loader(rows, augmentation, seed=0, workers=workers)
        loader.plan(batches, names=("t", 0))
        taken = {i: loader.take(batches[i]) for i in range(begin, len(batches))}
        loader.close()
        found.append(taken)
    for taken in found[1:]:
        assert all(torch.equal(images, found[0][i]) for i, images in taken.items())
    if augmentation is NONE:
        plain = torch.from_numpy(rows.pixels_NHW[rows.places[batches[0]]][:, None].astype(np.float32) / 255)
        assert torch.equal(found[0][0], plain)


def test_parts_and_processes_take_their_own_rows() -> None:
    rows, batches = rows_of(), image_batches(30, batch_size=8, seed=0, names=("t", 0))
    loader = Loader(rows, LIGHT, seed=0, workers=2)
    loader.plan(batches, names=("t", 0))
    whole = loader.take(batches[1])
    halves = [loader.take(part) for part in np.array_split(batches[1], 2)]
    assert torch.equal(torch.cat(halves), whole)
    second = Loader(rows, LIGHT, seed=0, workers=2, rank=1, world=2)
    second.plan(batches, names=("t", 0))
    assert torch.equal(second.take(batches[1][1::2]), whole[1::2])
    assert second.take(batches[1][:1]).shape == (1, 1, 16, 16)
    assert loader.clock.share is not None
    assert 0 <= loader.clock.share < 1
    loader.close()
    second.close()


@pytest.mark.parametrize(
    ("channels", "name"), [(3, "imagenet"), (1, "minus-one-to-one"), (3, "minus-1024-to-1024")]
)
def test_a_batch_is_normalised_as_one_image_is(channels: int, name: str) -> None:
    spec = ClassifierSpec(findings=("Edema",), channels=channels, normalisation=name, size_px=32)
    pixels = np.random.default_rng(0).random((2, 1, 32, 32), dtype=np.float32)
    batch = normalised(torch.from_numpy(pixels), spec).numpy()
    for one, given in zip(batch, pixels, strict=True):
        np.testing.assert_array_equal(one, channels_of(given, spec))


def test_waiting_is_measured_where_images_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    def shares(load: float, step: float) -> float | None:
        def slow(*_: Any, **__: Any) -> Any:
            time.sleep(load)
            return np.zeros((1, 16, 16), np.float32)

        monkeypatch.setattr(ImageRows, "augmented", slow)
        loader = Loader(rows_of(), LIGHT, seed=0, workers=1)
        batches = image_batches(30, batch_size=6, seed=0, names=("t", 0))
        loader.plan(batches, names=("t", 0))
        for batch in batches:
            loader.take(batch)
            time.sleep(step)
        loader.close()
        return loader.clock.share

    late, early = shares(load=0.01, step=0.01), shares(load=0.0, step=0.02)
    assert late is not None
    assert early is not None
    assert late > 0.5
    assert early < 0.3
