"""Images with labels: what a classifier learns from, before anything is decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State, Vocabulary

Grey = npt.NDArray[np.uint8]
"""An image in memory at the size of the model: uint8 [H, W], 0 black."""

Source = Path | Grey


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images with states of F findings, int8 [N, F] `State` codes; LEFT_OUT where nothing is known.

    `ids` name the images, `studies` the studies they are of, `patients` the patients ("" where not known).
    `sources` are files, or pixels in memory at the size of the model. `notes` say what was found and left out.
    """

    name: str
    vocabulary: Vocabulary
    findings: tuple[str, ...]
    ids: tuple[str, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    sources: tuple[Source, ...]
    states_NF: npt.NDArray[np.int8]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.sources)
        if {len(self.ids), len(self.studies), len(self.patients), len(self.states_NF)} != {n}:
            raise InputError(f"{self.name}: {n} images do not fit their names, patients or labels.")
        if self.states_NF.shape[1] != len(self.findings):
            raise InputError(
                f"{self.name}: {self.states_NF.shape[1]} columns of labels for {len(self.findings)} findings."
            )

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, places: Sequence[int] | npt.NDArray[np.intp]) -> ImageSet:
        """The images at these places, in this order."""
        rows = np.asarray(places, dtype=np.intp)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            studies=tuple(self.studies[i] for i in rows),
            patients=tuple(self.patients[i] for i in rows),
            sources=tuple(self.sources[i] for i in rows),
            states_NF=self.states_NF[rows],
        )

    def select(self, findings: Sequence[str]) -> ImageSet:
        """The same images with these findings; those that it does not have are LEFT_OUT throughout."""
        names = [self.vocabulary.names[self.vocabulary.index(one)] for one in findings]
        if tuple(names) == self.findings:
            return self
        states_NF = np.full((len(self), len(names)), LEFT_OUT, dtype=np.int8)
        for place, name in enumerate(names):
            if name in self.findings:
                states_NF[:, place] = self.states_NF[:, self.findings.index(name)]
        return replace(self, findings=tuple(names), states_NF=states_NF)

    def digest(self) -> str:
        """SHA-256, in hex, of names, patients, labels and images; a file counts by its name and size."""
        total = hashlib.sha256(repr((self.vocabulary.name, self.findings)).encode())
        total.update(np.ascontiguousarray(self.states_NF).tobytes())
        for one, patient, source in zip(self.ids, self.patients, self.sources, strict=True):
            total.update(f"\0{one}\0{patient}\0".encode("utf-8", "surrogatepass"))
            total.update(fingerprint(source))
        return total.hexdigest()


def fingerprint(source: Source) -> bytes:
    """What tells an image from another without decoding it: name and size of a file, or shape and pixels."""
    if isinstance(source, Path):
        size = source.stat().st_size if source.is_file() else -1
        return f"{source.name}\0{size}".encode("utf-8", "surrogatepass")
    return repr(source.shape).encode() + hashlib.sha256(np.ascontiguousarray(source).tobytes()).digest()


def without_labels(images: ImageSet, *, blank: str) -> npt.NDArray[np.bool_]:
    """Which images have nothing to learn from, bool [N]: every label blank or unknown.

    With `blank` "negative", an image is without labels only when all of them are unknown or none is there.
    """
    known_NF = images.states_NF != LEFT_OUT
    if blank == "ignore":
        known_NF &= images.states_NF != State.BLANK
    return np.asarray(~known_NF.any(axis=1))
