"""Which images are learned from and which the checkpoint is chosen by: never one patient on both sides."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.tables._label_rows import counted
from hilum.train.image_cache import Decoded
from hilum.train.split import split_rows

Places = npt.NDArray[np.intp]


class OfPatients(Protocol):
    """Images in an order, with the patient of each ("" where not known)."""

    @property
    def name(self) -> str:
        """What they are called in messages."""
        ...

    @property
    def patients(self) -> Sequence[str]:
        """The patient of each image."""
        ...


def split_images(
    every: OfPatients, decoded: Decoded, good: Places, *, share: float, seed: int, elsewhere: str
) -> tuple[Places, Places]:
    """The good images on either side; no patient and no picture is on both. `elsewhere`: options that name a side.

    Raises InputError when there are too few.
    """
    same = [
        f"{zlib.crc32(decoded.pixels_NHW[i]):08x} {zlib.adler32(decoded.pixels_NHW[i]):08x}" for i in good
    ]
    patients = [every.patients[i] for i in good]
    try:
        split = split_rows([same], share=share, seed=seed, groups=[patients])[0]
    except InputError as error:
        raise InputError(
            f"{every.name}: {counted(len(good), 'image', 'images')} of {of_patients(patients)} are too few to put "
            f"{share:.0%} of them aside for choosing the checkpoint. Next step: more images, another --dev-share, or "
            f"images of their own for it ({elsewhere})."
        ) from error
    return good[split.train], good[split.dev]


def apart(every: OfPatients, good: Places, learned: int) -> tuple[Places, Places, list[str]]:
    """The images that were named for each side, the first `learned` to learn from, and notes.

    Patients of the dev set are not learned from. Raises InputError when a side is empty.
    """
    chosen = good[good >= learned]
    theirs = {every.patients[i] for i in chosen} - {""}
    kept = [i for i in good[good < learned] if every.patients[i] not in theirs]
    if not kept or not len(chosen):
        side = (
            "to choose the checkpoint by" if kept else "to learn from that is not of a patient of the dev set"
        )
        raise InputError(f"There is no image left {side}. Next step: name other images for the two sides.")
    lost = int((good < learned).sum()) - len(kept)
    notes = [f"{lost:,} images of patients of the dev set were not learned from"] if lost else []
    return np.array(kept, dtype=np.intp), chosen, notes


def of_patients(patients: Sequence[str]) -> str:
    """How many patients images are of, in words; "" is a patient that is not named."""
    named = counted(len(set(patients) - {""}), "patient", "patients")
    unnamed = sum(not one for one in patients)
    if unnamed == len(patients):
        return "patients that are not named"
    return f"{named} ({unnamed:,} without a named patient)" if unnamed else named
