"""The learning stages of the VisualCheXbert study: classifier, its probabilities, report encoder, its probabilities."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.imaging import Image
from hilum.core.matrix import LabelMatrix
from hilum.labelers import ReportSpans, get_labeler
from hilum.recipes._visualchexbert_sets import VOCABULARY, StudySet, label_texts, soft_of
from hilum.recipes._visualchexbert_stages import (
    STUDY,
    Stages,
    checksum,
    kept_parts,
    read_json,
    text_checksum,
    write_json,
    write_table,
    write_values,
)
from hilum.recipes.classifier import recipe as classifier_recipe
from hilum.recipes.labeler import mini, visualchexbert
from hilum.train.classifier import ClassifierTraining, train_classifier
from hilum.train.config import LabelerTraining
from hilum.train.data import digest
from hilum.train.image_reading import from_studies
from hilum.train.labeler import train_labeler

if TYPE_CHECKING:
    from hilum.recipes.visualchexbert import VisualChexbertStudy
    from hilum.train.loop import Progress

LABELED = "labels to learn"
"""Where the labels stand, in the studies of a set, that the classifier learns."""

PROBABILITIES, REPORTS, FAILED = "probabilities.csv", "reports.csv", "failed.csv"
PART = 2_048
"""Images whose probabilities are kept together."""

_PARTS = "parts"
_RUN, _RESULT, _MODEL = "run", "result.json", "model"
_TEXT, _PATIENT = "text", "patient"
_BATCH = 256
_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Learner:
    """What all stages share: the study, its stages, and where to tell."""

    study: VisualChexbertStudy
    stages: Stages
    tell: Callable[[str], object]
    meter: Callable[[Progress], None]
    _last: list[float] = field(default_factory=lambda: [0.0])

    def classifier(self, images: StudySet) -> Path:
        """The folder of a classifier that has learned the images of a set with its labels `LABELED`."""
        folder = self.stages.folder / f"classifier-on-{images.role}"
        config = classifier_config(self.study, folder / _RUN)
        rows = from_studies(images.studies, source=LABELED, config=config, name=images.source.said)

        def make(_: Path) -> None:
            result = train_classifier(config, images=rows, progress=self.meter, tell=self._said)
            self._go_on_later(result.finished)

        decides = {"images": rows.digest(), "training": config.deciding(), **_weights(self.study.image_init)}
        self.stages.run(folder.name, decides, make, keeps=True, files=(f"{_RUN}/{_RESULT}",))
        return folder / _RUN / _MODEL

    def image_probabilities(self, model: Path, target: StudySet, *, name: str) -> Path:
        """A table of a classifier's probabilities for each study of a set: the greatest of its images.

        Irvin et al. 2019, section 4.1: the maximum over the views of a study. Images that cannot be read are left
        out, and listed; so are studies without any other.
        """
        places = [(place, image) for place, study in enumerate(target.studies) for image in study.images]
        if not places:
            raise InputError(f"--{target.role} {target.source.said}: no study has an image that can be used.")

        decides = {
            "classifier": digest(model),
            "images": text_checksum(*(f"{target.ids[place]} {image.id}" for place, image in places)),
        }

        def make(folder: Path) -> None:
            columns, found_NF, failed = self._predict(model, [image for _, image in places], folder, decides)
            values_NF = np.full((len(target), len(columns)), -np.inf)
            np.maximum.at(values_NF, [place for place, _ in places], found_NF)
            kept = np.flatnonzero(np.isfinite(values_NF[:, 0]))
            if not len(kept):
                raise InputError(
                    f"{target.source.said}: none of its {len(places):,} images can be read: {failed[0][1]}"
                )
            write_values(folder / PROBABILITIES, [target.ids[i] for i in kept], columns, values_NF[kept])
            write_table(folder / FAILED, ("image", "why"), failed)

        found = self.stages.run(name, decides, make, keeps=True, files=(PROBABILITIES, FAILED))
        shutil.rmtree(found / _PARTS, ignore_errors=True)
        return found / PROBABILITIES

    def _predict(
        self, model: Path, images: Sequence[Image], folder: Path, decides: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], npt.NDArray[np.float64], list[tuple[str, str]]]:
        """Findings, probabilities [N, F] (-inf where an image cannot be read), and what could not be read and why.

        What is done is kept in parts, so that a kill costs no more than one of them.
        """
        from hilum.models.classifier import load_classifier  # noqa: PLC0415  (loads torch)
        from hilum.models.classify import predict_images  # noqa: PLC0415

        loaded = load_classifier(model, device=device_of(self.study.device))
        parts = kept_parts(folder / _PARTS, decides)
        values_NF = np.full((len(images), len(loaded.spec.findings)), -np.inf)
        failed: list[tuple[str, str]] = []
        for start in range(0, len(images), PART):
            path = parts / f"{start:09d}.json"
            if not path.exists():
                some = images[start : start + PART]
                found = predict_images(loaded, some, batch_size=64, workers=self.study.workers or 2)
                rows = [
                    [int(i), *row] for i, row in zip(found.places, found.probabilities.tolist(), strict=True)
                ]
                write_json(path, {"rows": rows, "failed": [(one.id, one.why) for one in found.failed]})
            part = read_json(path)
            for place, *row in part["rows"]:
                values_NF[start + place] = row
            failed += [(name, why) for name, why in part["failed"]]
            done = min(start + PART, len(images))
            self._now_and_then(f"probabilities of {done:,} of {len(images):,} images")
        return loaded.spec.findings, values_NF, failed

    def report_labels(self, reports: StudySet, *, name: str) -> Path:
        """A table of the labels of the reports of a set, as probabilities, for an encoder that sees no image."""
        labels = label_texts(reports.texts, labeler=self.study.labeler)
        states_NF = np.array([one.states for one in labels], dtype=np.int8)
        matrix = LabelMatrix("", VOCABULARY, VOCABULARY.names, reports.ids, states_NF)
        values_NF = soft_of(matrix, uncertain=self.study.uncertain)

        def make(folder: Path) -> None:
            write_values(folder / PROBABILITIES, reports.ids, VOCABULARY.names, values_NF)

        return (
            self.stages.run(name, {"labels": text_checksum(values_NF.tobytes().hex())}, make) / PROBABILITIES
        )

    def encoder(self, reports: StudySet, soft: Path, *, name: str) -> Path:
        """The folder of a report encoder that has learned the reports of a set with probabilities of their images."""
        folder = self.stages.folder / name
        config = encoder_config(self.study, folder / _RUN, folder / REPORTS, soft)
        rows = list(zip(reports.ids, reports.groups, reports.texts, strict=True))

        def make(path: Path) -> None:
            write_table(path / REPORTS, (STUDY, _PATIENT, _TEXT), rows)
            result = train_labeler(config, progress=self.meter, tell=self._said)
            self._go_on_later(result.finished)

        decides = {
            "reports": text_checksum(*(part for row in rows for part in row)),
            "soft labels": checksum(soft),
            "training": config.deciding(),
            **_weights(self.study.init),
        }
        self.stages.run(folder.name, decides, make, keeps=True, files=(f"{_RUN}/{_RESULT}",))
        return folder / _RUN / _MODEL

    def report_probabilities(self, model: Path, target: StudySet, *, name: str) -> Path:
        """A table of a report encoder's probabilities for each study of a set."""

        def make(folder: Path) -> None:
            columns, values_NF = self._read(model, target)
            write_values(folder / PROBABILITIES, target.ids, columns, values_NF)

        decides = {"encoder": digest(model), "reports": text_checksum(*target.ids, *target.texts)}
        return self.stages.run(name, decides, make) / PROBABILITIES

    def _read(self, model: Path, target: StudySet) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
        labeler: Any = get_labeler(
            "visualchexbert",
            weights=str(model),
            device=device_of(self.study.device),
            threads=self.study.threads,
        )
        rows: list[tuple[float, ...]] = []
        for start in range(0, len(target), _BATCH):
            texts = [ReportSpans(text) for text in target.texts[start : start + _BATCH]]
            rows += [labels.probabilities for labels in labeler.label_batch(texts)]
            self._now_and_then(f"the encoder has read {len(rows):,} of {len(target):,} reports")
        values_NF = np.array(rows, dtype=np.float64)
        known = [place for place in range(values_NF.shape[1]) if not np.isnan(values_NF[:, place]).any()]
        return tuple(labeler.vocabulary.names[place] for place in known), values_NF[:, known]

    def _go_on_later(self, finished: bool) -> None:
        """Raises KeyboardInterrupt for a training that was asked to stop, and has saved where it is."""
        if not finished:
            self.tell("stopped; everything is saved. Run the same command again to go on.")
            raise KeyboardInterrupt

    def _said(self, line: str) -> None:
        self.tell(line)

    def _now_and_then(self, line: str) -> None:
        now = time.monotonic()
        if now - self._last[0] >= _SECONDS_BETWEEN_LINES:
            self._last[0] = now
            self.tell(line)


def classifier_config(study: VisualChexbertStudy, output: Path) -> ClassifierTraining:
    """The training of the image classifier. Raises InputError for choices that it does not have."""
    choices = {
        "uncertain": study.uncertain, "pretrained": study.image_init, "seed": study.seed, "device": study.device,
        "threads": study.threads, "workers": study.workers, "views": study.views,
        **study.classifier,
    }  # fmt: skip
    make = classifier_recipe(study.image_recipe)
    found: ClassifierTraining = _checked("classifier", lambda: make(output, **choices))
    return found


def encoder_config(study: VisualChexbertStudy, output: Path, reports: Path, soft: Path) -> LabelerTraining:
    """The training of the report encoder: as the paper's from `init`, else a small one from scratch, as recipe mini.

    Raises InputError for choices that it does not have.
    """
    choices = {
        "soft_labels": soft, "heads": "probability", "section": "all", "column": _TEXT, "key": STUDY,
        "group": _PATIENT, "seed": study.seed, "device": study.device, "threads": study.threads,
        **study.encoder,
    }  # fmt: skip

    def make() -> LabelerTraining:
        if study.init is not None:
            return visualchexbert(output, reports, pretrained=study.init, **choices)
        return replace(mini(output, reports, **choices), recipe="visualchexbert")

    found: LabelerTraining = _checked("encoder", make)
    return found


def _checked(what: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except TypeError as error:
        raise InputError(f"The {what} cannot be trained so: {error}.") from error


def device_of(device: str) -> str:
    """The device to predict on: cuda where `auto` finds one."""
    if device != "auto":
        return device
    import torch  # noqa: PLC0415

    return "cuda" if torch.cuda.is_available() else "cpu"


def _weights(given: str | None) -> dict[str, str]:
    """A checksum of the weights to start from, where they are files."""
    return {"start": digest(Path(given))} if given is not None and Path(given).exists() else {}
