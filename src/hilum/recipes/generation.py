"""The table of report generation: seven systems and what they are worth, clinically too (Liu et al. 2019, table 2).

The systems are in `_generation_systems`, their values in `_generation_values`, attention in `_generation_attention`,
the tables in `_generation_tables`, the page in `_generation_page`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from hilum.analyses._output import check_folder
from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.results import ResultPage
from hilum.labelers import LABELERS
from hilum.recipes._stages import is_ours, opened

if TYPE_CHECKING:
    from hilum.train.loop import Progress

__all__ = ["REPEATS", "SYSTEMS", "GenerationOutput", "GenerationStudy", "generation_study"]

MAJOR, NOISE, NEAREST, TIENET = "major", "noise", "nn", "tienet"
LIKELY, NLG, CCR, FULL = "likelihood", "nlg", "ccr", "full"
SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        MAJOR: "Major class",
        NOISE: "Noise-RNN",
        NEAREST: "1-NN",
        TIENET: "TieNet-like",
        LIKELY: "Ours (likelihood alone)",
        NLG: "Ours (NLG)",
        CCR: "Ours (CCR)",
        FULL: "Ours (full)",
    }
)
"""The systems by name, in the order of the paper's table; "likelihood alone" is ours, where the last three begin."""

REPEATS: Mapping[str, str] = MappingProxyType(
    {
        "remove": "sentences that stand before already are removed, as in the paper",
        "keep": "reports are judged as they are written",
        "forbid": "no sentence may be written twice",
    }
)
"""What becomes of repeated sentences."""

JOB = {"hilum study generation": 1}
_PACKAGES = {
    "torch": "neural", "transformers": "neural", "safetensors": "neural", "accelerate": "neural",
    "tensorboard": "neural", "cv2": "images", "matplotlib": "study",
}  # fmt: skip
"""What the stages need -> the extra that it comes with."""


@dataclass(frozen=True)
class GenerationStudy:
    """What to study and how. The three sets are `NAME:ROOT[:SPLIT][@PART/PARTS]` of `hilum.datasets`.

    `train`: images and reports that all systems learn; `valid`: those that checkpoints are chosen by; `test`: those
    of the tables. No two may share patients. `systems`: names of SYSTEMS; none: all. `classifier`: a folder of an
    image classifier with a DenseNet; without it one learns the labels of the training reports, by `image_recipe` with
    `image` as further choices. `recipe`: a recipe of generators, with `generator` as further choices of the stage of
    likelihood, `reinforce` of the second stage, `baseline` of Noise-RNN and the TieNet-like model. `weight` is that
    of the clinical reward in "full". `truth`: the source of image truth in the test set, for mentions that the report
    does not have ("": none). `repeats`: a name of REPEATS. `examples`: how many test images are shown.
    """

    train: str
    valid: str
    test: str
    systems: tuple[str, ...] = ()
    classifier: Path | None = None
    section: str = "findings"
    views: str = "frontal"
    labeler: str = "rules"
    truth: str = "image"
    repeats: str = "remove"
    recipe: str = "small"
    image_recipe: str = "mini"
    image: Mapping[str, Any] = field(default_factory=dict)
    generator: Mapping[str, Any] = field(default_factory=dict)
    reinforce: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    examples: int = 8
    replicates: int = 1000
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.labeler not in LABELERS.names():
            raise UnknownNameError("labeler", self.labeler, LABELERS.names())
        for name in self.systems:
            if name not in SYSTEMS:
                raise UnknownNameError("system", name, SYSTEMS)
        if self.repeats not in REPEATS:
            raise UnknownNameError("way with repeated sentences", self.repeats, REPEATS)
        if not 0 <= self.weight < float("inf") or self.examples < 0 or self.replicates < 10:
            raise InputError(
                f"weight {self.weight}, examples {self.examples}, replicates {self.replicates}: weight and examples "
                "must be 0 or more, replicates at least 10."
            )

    @property
    def chosen(self) -> tuple[str, ...]:
        """The systems that are studied, in the order of SYSTEMS."""
        return tuple(name for name in SYSTEMS if not self.systems or name in self.systems)


class GenerationOutput(NamedTuple):
    """The page of tables, and further files of the study: name below its folder -> content."""

    page: ResultPage
    files: Mapping[str, bytes]


def generation_study(
    study: GenerationStudy,
    folder: Path | str,
    *,
    force: bool = False,
    fresh: bool = False,
    tell: Callable[[str], object] = lambda _: None,
    meter: Callable[[Progress], None] = lambda _: None,
) -> GenerationOutput:
    """Run the study, or go on with it: each stage is kept in `folder/stages`, and what is done is not done again.

    The same study gives the same tables, stopped and resumed or not (on a CPU, with the same libraries and number of
    threads). `tell` gets lines in words, `meter` the steps of the trainings; `fresh` forgets all stages. Nothing but
    the stages is written.

    Raises InputError for sets that lack what is needed or share patients, OutputError and ResumeError for the folder,
    KeyboardInterrupt when a training was asked to stop, after it was saved.
    """
    needed = {**_PACKAGES, **({"faiss": "llm"} if NEAREST in study.chosen else {})}
    missing = {package: extra for package, extra in needed.items() if find_spec(package) is None}
    if missing:
        raise MissingExtraError(next(iter(missing)), ",".join(dict.fromkeys(missing.values())))
    from hilum.recipes._generation_page import make_output  # noqa: PLC0415  (loads torch)
    from hilum.recipes._generation_sets import read_sets  # noqa: PLC0415
    from hilum.recipes._generation_systems import run_systems  # noqa: PLC0415
    from hilum.recipes._generation_values import measure  # noqa: PLC0415

    home = Path(folder)
    check_folder(home, force=force or is_ours(home))
    sets = read_sets(study, tell=tell)
    with opened(home, job=JOB, fresh=fresh, tell=tell) as stages:
        found = run_systems(study, sets, stages, tell=tell, meter=meter)
        tell(f"tables, {study.replicates:,} replicates")
        values = measure(found)
        return make_output(found, values)
