"""The work on one chunk of images: files in, rows of probabilities and pictures of heat out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hilum.api._heat import HEAT_PX, enlarged
from hilum.api._image_job import COUNTS, ROWS, file_name, make_folder
from hilum.api._predict_images import Item, bare_reason
from hilum.api.predict import PredictJob, findings_shown
from hilum.core.errors import InputError
from hilum.images.overlay import overlay, png_of
from hilum.images.read import read_image
from hilum.images.transforms import resize
from hilum.models.classifier import LoadedClassifier, load_classifier
from hilum.models.classifier_spec import channels_of
from hilum.models.classify import Predictions, predict_images
from hilum.models.gradcam import grad_cam
from hilum.tables.write import encode_rows

_DIGITS = 6


@dataclass(frozen=True, eq=False)
class PredictWork:
    """How images become parts; `columns` and `schema` are those of the output."""

    job: PredictJob
    loaded: LoadedClassifier
    columns: tuple[str, ...]
    format: str
    shown: tuple[int, ...]

    @classmethod
    def of(cls, job: PredictJob, columns: Sequence[str], fmt: str) -> PredictWork:
        """The work of a job. Raises InputError when the classifier or a finding is not there."""
        device = job.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        loaded = load_classifier(job.weights, device=device)
        findings = loaded.spec.findings
        if job.grad_cam is not None and not job.findings:
            raise InputError(
                f"--grad-cam draws where a finding was seen. Next step: --finding NAME, one of: {', '.join(findings)}."
            )
        shown = findings_shown(findings, job.findings, loaded.spec.vocabulary)
        if job.grad_cam is not None:
            make_folder(job.grad_cam)
        taken = [name for name in columns if name in findings]
        if taken:
            raise InputError(
                f"The table has columns called as findings: {', '.join(taken)}. Next step: rename them."
            )
        return cls(job, loaded, (*columns, *findings), fmt, shown)

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings of the classifier."""
        return self.loaded.spec.findings

    @property
    def digest(self) -> str:
        """SHA-256 of the classifier."""
        return self.loaded.digest

    @property
    def schema(self) -> Mapping[str, Any]:
        """Types of the columns of parquet."""
        return dict.fromkeys(self.findings, "float64")

    def build(self) -> Callable[[int, Sequence[Item]], Mapping[str, bytes]]:
        """See `runner.WorkerSpec`."""
        return self._work

    def _work(self, first: int, items: Sequence[Item]) -> Mapping[str, bytes]:
        found = predict_images(
            self.loaded,
            [Path(item.path) for item in items],
            ids=[item.name for item in items],
            batch_size=self.job.batch_size,
            workers=self.job.workers,
            precision=self.job.precision,
        )
        rows = [
            (*items[place].cells, *(round(float(value), _DIGITS) for value in values))
            for place, values in zip(found.places.tolist(), found.probabilities, strict=True)
        ]
        flat = [] if self.job.grad_cam is None else self._draw(first, items, found)
        failed = [
            [one.id, bare_reason(one.why, items[one.place].path, items[one.place].name)]
            for one in found.failed
        ]
        return {
            ROWS: encode_rows(self.columns, rows, self.format, schema=self.schema),
            COUNTS: json.dumps({"predicted": len(rows), "failed": failed, "flat": flat}).encode(),
        }

    def _draw(self, first: int, items: Sequence[Item], found: Predictions) -> list[list[str]]:
        """One PNG per image and finding: PLACE-NAME-FINDING.png. Returns images and findings without any heat."""
        flat = []
        spec = self.loaded.spec
        folder = Path(str(self.job.grad_cam))
        for place in found.places.tolist():
            whole = read_image(Path(items[place].path)).pixels
            pixels = resize(whole, spec.size_px, fit=spec.fit).pixels
            shown = resize(whole, max(spec.size_px, HEAT_PX), fit=spec.fit).pixels
            given = torch.from_numpy(np.ascontiguousarray(channels_of(pixels, spec)))[None].to(
                self.loaded.device
            )
            for finding in self.shown:
                heat = grad_cam(self.loaded.model, given, finding)[0]
                if not heat.any():
                    flat.append([items[place].name, spec.findings[finding]])
                stem = file_name(Path(items[place].name).stem)
                name = f"{first + place + 1:06d}-{stem}-{file_name(spec.findings[finding])}.png"
                (folder / name).write_bytes(png_of(overlay(shown, enlarged(heat, shown.shape[1:]))))
        return flat
