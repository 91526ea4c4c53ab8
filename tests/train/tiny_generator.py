"""Invented images with reports, and trainings of report generators that take a second."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
from tiny_classifier import TINY, invented_rows, picture

from hilum.core.rng import rng_for
from hilum.recipes.generator import recipe
from hilum.train.generator_config import GeneratorTraining

SAID = {
    1: ("There is pulmonary edema.", "Heart size is enlarged.", "Acute rib fracture."),
    0: ("No pulmonary edema.", "Heart size is normal.", "No rib fracture."),
}


def report_of(codes: tuple[int | None, ...], *, seed: int) -> str:
    """A report with its findings section; what is not labeled is not said."""
    said = [SAID[code][place] for place, code in enumerate(codes) if code in SAID]
    if rng_for(seed, "words").random() < 0.5:
        said.append("Lungs are clear of consolidation.")
    return "INDICATION: Cough.\n\nFINDINGS: " + " ".join(said or ["Stable."]) + "\n\nIMPRESSION: As above."


def write_reports(folder: Path, *, n: int = 60, seed: int = 0, name: str = "reports.csv") -> Path:
    """A table with path, patient and report, and its images."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "patient_id", "report"])
        for i, (path, patient, codes) in enumerate(invented_rows(n, seed=seed)):
            cv2.imwrite(str(folder / path), picture(codes, seed=1000 * seed + i))
            writer.writerow([path, patient, report_of(codes, seed=1000 * seed + i)])
    return folder / name


def tiny_generator(folder: Path, output: str | Path = "run", **choices: Any) -> GeneratorTraining:
    """A training of a second; images and reports are made when they are not there."""
    table = folder / "reports.csv"
    if not table.exists():
        write_reports(folder)
    own: dict[str, Any] = {
        "images": table, "size_px": 32, "architecture": TINY, "epochs": 2, "batch_size": 8, "threads": 1, "workers": 2,
        "save_every": 2, "device": "cpu", "dev_share": 0.3, "width": 12, "hidden": 16, "learning_rate": 1e-2,
        "most_sentences": 5, "most_words": 8, "least_count": 1,
    }  # fmt: skip
    if choices.get("data"):
        del own["images"]
    return recipe("small")(folder / output, **{**own, **choices})


def second(folder: Path, output: str | Path, **choices: Any) -> GeneratorTraining:
    """The stage of rewards, from the generator that learned by likelihood in `folder`."""
    own: dict[str, Any] = {
        "stage": "reinforce", "init": folder / "likelihood" / "model", "learning_rate": 1e-3, "schedule": "constant",
        "warmup": 0.0, "temperature": 1.0,
    }  # fmt: skip
    return tiny_generator(folder, output, **{**own, **choices})


def of_stage(stage: str, folder: Path, output: str | Path, **choices: Any) -> GeneratorTraining:
    """A training of either stage."""
    make = tiny_generator if stage == "likelihood" else second
    return make(folder, output, **choices)


def files_of(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of the model, of the examples and of the log."""
    kept = [*sorted((folder / "model").iterdir()), folder / "examples.jsonl", folder / "log.jsonl"]
    return {path.name: path.read_bytes() for path in kept}
