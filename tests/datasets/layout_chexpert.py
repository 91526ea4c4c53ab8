"""Invented rows and images in the layout of CheXpert-v1.0-small, and of the published labels of its test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tiny_png import write_png

from hilum.core.vocabulary import CHEXPERT14

NAMES = CHEXPERT14.names
SWAPPED = [*NAMES[:3], NAMES[4], NAMES[3], *NAMES[5:]]
"""The order of the readers' tables: Lung Lesion before Lung Opacity."""

FOLDER = "CheXpert-v1.0-small"
TRAIN = (
    (
        "patient00001/study1/view1_frontal.jpg",
        "Female,68,Frontal,AP",
        {"Support Devices": "1.0", "Edema": "-1.0"},
    ),
    ("patient00002/study2/view1_frontal.jpg", "Male,87,Frontal,PA", {"No Finding": "1.0"}),
    ("patient00002/study2/view2_lateral.jpg", "Male,87,Lateral,", {"No Finding": "1.0"}),
    (
        "patient00002/study1/view1_frontal.jpg",
        "Male,83,Frontal,",
        {"Lung Opacity": "1.0", "Pneumothorax": "0.0"},
    ),
    ("patient00003/study10/view1_frontal.jpg", "Unknown,0,Frontal,LL", {"Fracture": "1.0"}),
    ("patient00003/study9/view1_frontal.jpg", "Female,41,Frontal,AP", {}),
)
TEST = tuple(f"CheXpert-v1.0/test/patient{65000 + i}/study1" for i in range(8))


def rows(
    named: Sequence[tuple[str, str, Mapping[str, str]]], split: str, names: Sequence[str] = NAMES
) -> str:
    """A table with one row per image."""
    lines = [",".join(("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *names))]
    for path, told, labels in named:
        lines.append(f"{FOLDER}/{split}/{path},{told},{','.join(labels.get(name, '') for name in names)}")
    return "\n".join(lines) + "\n"


def studies(
    positive: Mapping[int, str],
    keys: Sequence[str] = TEST,
    *,
    names: Sequence[str] = NAMES,
    blank: bool = False,
) -> str:
    """A table with one row per study of the test set: row `i` has the finding `positive[i]`, else 0 or blank."""
    yes, no = ("1.0", "") if blank else ("1", "0")
    lines = [",".join(("Study", *names))]
    for i, key in enumerate(keys):
        lines.append(",".join((key, *(yes if positive.get(i) == name else no for name in names))))
    return "\n".join(lines) + "\n"


FINDINGS = {
    0: "Edema",
    1: "Lung Opacity",
    2: "Lung Lesion",
    3: "Fracture",
    4: "Edema",
    5: "Pneumonia",
    6: "Atelectasis",
}
SHIFTED = (*TEST[:3], TEST[7], *TEST[3:7])
"""As in the published chexpert_labels.csv: from one row on, each key is that of the row before."""


def write_test_labels(root: Path, *, shifted: bool = False) -> None:
    """The tables of the test set, without images."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "groundtruth.csv").write_text(studies(FINDINGS))
    (root / "chexpert_labels.csv").write_text(studies(FINDINGS, SHIFTED if shifted else TEST, blank=True))
    (root / "radiologist_bc1_gt.csv").write_text(studies(FINDINGS, names=SWAPPED))
    (root / "radiologist_bc4.csv").write_text(studies({}, names=SWAPPED))


def write(root: Path) -> None:
    """Train and valid with all images, what other labelers said of train, and the tables of the test set."""
    folder = root / FOLDER
    valid = [("patient64541/study1/view1_frontal.jpg", "Male,73,Frontal,AP", dict.fromkeys(NAMES, "0.0"))]
    write_test_labels(root)
    for split, named in (("train", TRAIN), ("valid", valid)):
        for path, _, _ in named:
            write_png(folder / split / path)
        (folder / f"{split}.csv").write_text(rows(named, split))
    for name in ("train_cheXbert.csv", "train_visualCheXbert.csv"):
        (folder / name).write_text(rows(TRAIN, "train", SWAPPED))
    write_png(root / "test" / "patient65000" / "study1" / "view1_frontal.jpg")
