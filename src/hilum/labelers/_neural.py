"""What the neural labelers share: weights in a folder, texts of the chosen sections, answers as `Labels`.

The states are those of the original programs (CheXbert: Smit et al. 2020; VisualCheXbert: Jain et al. 2021). torch
is imported when a labeler is built, never before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import Labels, RowStatus, Section
from hilum.core.version import VERSION
from hilum.core.vocabulary import SHIPPED, State
from hilum.labelers._base import ModelLabels, ReportSpans, Traits
from hilum.text.bert_text import TEXT_MODES, prepare

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONG = ("windows", "cut")
"""What to do with a text longer than the model reads."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_AS_TRAINED = "as trained"


@dataclass(kw_only=True, eq=False)
class NeuralLabeler:
    """Labels reports with a report encoder. The fields are the options of `hilum label`; a subclass names it.

    `weights` is a folder that `hilum convert` or training wrote, or an encoder that is loaded already. `device` is
    auto, cpu, cuda or cuda:N. `calibration` is a file of temperatures. Labels whose probability is below
    `abstain_below` are not given. `threads` bounds what torch uses (all cores without it).

    Raises InputError for weights or options that cannot be used, MissingExtraError without torch.
    """

    weights: Any = None
    device: str = "auto"
    precision: str | None = None
    batch_size: int | None = None
    calibration: str | Path | None = None
    abstain_below: float | None = None
    mapping: str | None = None
    long: str = "windows"
    text_mode: str | None = None
    threads: int | None = None

    name: ClassVar[str]
    section: ClassVar[str] = "impression"
    note: ClassVar[str] = ""
    prefers: ClassVar[str] = "float32"

    def __post_init__(self) -> None:
        _check(self)
        from hilum.labelers._calibration import load_calibration  # noqa: PLC0415  (these load NumPy)
        from hilum.labelers._decide import Decider, choose_mapping  # noqa: PLC0415
        from hilum.labelers._engine import load_engine  # noqa: PLC0415

        self.engine = load_engine(self)
        spec = self.engine.spec
        if spec.kind != self.name:
            raise InputError(
                f"{self.weights} holds weights of the kind {spec.kind!r}, and the labeler {self.name!r} needs "
                f"its own. Next step: --labeler {spec.kind}, or other --weights."
            )
        mapping, notes = choose_mapping(spec, self.mapping)
        temperatures = spec.temperatures or (1.0,) * len(spec.heads)
        calibration = "as in the weights" if spec.temperatures else "none"
        if self.calibration is not None:
            loaded = load_calibration(self.calibration, spec=spec, weights=self.engine.digest)
            temperatures, calibration = loaded.temperatures_of(spec), loaded.digest
        self.decider = Decider(spec, temperatures, mapping)
        self.mode = self.text_mode or spec.text
        self.vocabulary = SHIPPED[spec.vocabulary]
        self.places = tuple(self.vocabulary.index(name) for name in spec.findings)
        self.unsaid = frozenset(
            place for place, head in zip(self.places, spec.heads, strict=True) if head.classes == 1
        )
        self.stamp: Mapping[str, str] = self._stamp(calibration)
        missing = [name for name in self.vocabulary.names if name not in spec.findings]
        if missing:
            notes = (*notes, f"the weights have no head for {', '.join(missing)}: always blank")
        self.traits = Traits(
            section=self.section,
            probabilities=True,
            abstains=self.abstain_below is not None,
            uses_all_cores=True,
            learned=True,
            notes=tuple(filter(None, (self.note, *notes))),
        )

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        """One `Labels` per report, in order, without evidence; see `explain_batch`.

        The states do not depend on the batch wherever the two best classes differ by more than 1e-4.
        """
        texts = [self.text_of(report) for report in reports]
        read = [i for i, text in enumerate(texts) if text]
        nothing = (State.BLANK,) * len(self.vocabulary)
        results: list[Labels] = [Labels(self.vocabulary, nothing, (), RowStatus.EMPTY)] * len(texts)
        if read:
            found = self.engine.logits([texts[i] for i in read])
            answers = self.decider.answers([one.logits for one in found])
            for row, (i, one) in enumerate(zip(read, found, strict=True)):
                labels = self._labels(
                    answers.states_NF[row].tolist(),
                    answers.positive_NF[row].tolist(),
                    answers.chosen_NF[row].tolist(),
                )
                results[i] = replace(labels, windows=len(one.logits), cut=one.cut)
        return results

    def explain_batch(self, reports: Sequence[ReportSpans], labels: Sequence[Labels]) -> list[Labels]:
        """The same labels with the sentences behind them, found by leaving each out (`_occlusion`)."""
        from hilum.labelers._occlusion import sentences_behind  # noqa: PLC0415

        behind = sentences_behind(self, reports, labels)
        return [replace(one, evidence=found) for one, found in zip(labels, behind, strict=True)]

    def text_of(self, report: ReportSpans, *, without: tuple[int, int] | None = None) -> str:
        """What the model reads: the texts of the sections, one after the other, prepared for the tokenizer.

        `without` is a span of the original text that is left out.
        """
        return self.prepared(joined_text(report, without=without))

    def prepared(self, text: str) -> str:
        """A text as the tokenizer gets it."""
        return prepare(clean(text), self.mode)

    def deciding(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """What decides the states of prepared texts: probabilities, float64 [N, F, 4] in the order of `places`."""
        return self.decider.answers([one.logits for one in self.engine.logits(texts)]).deciding_NFS

    def _labels(self, states: list[int], positive: list[float], chosen: list[float]) -> ModelLabels:
        by_place = [State.BLANK] * len(self.vocabulary)
        probabilities = [math.nan] * len(self.vocabulary)  # no head, no number
        abstained = []
        for place, state, p, sure in zip(self.places, states, positive, chosen, strict=True):
            probabilities[place] = p
            if self.abstain_below is not None and sure < self.abstain_below:
                abstained.append(place)
            else:
                by_place[place] = State(state)
        names = self.vocabulary.names
        return ModelLabels(
            self.vocabulary,
            tuple(by_place),
            probabilities=tuple(probabilities),
            abstained=tuple(names[place] for place in sorted(abstained)),
        )

    def _stamp(self, calibration: str) -> dict[str, str]:
        from hilum.labelers._decide import WINDOW_RULE  # noqa: PLC0415  (loads NumPy)

        spec = self.engine.spec
        stamp = {
            "labeler": self.name,
            "version": VERSION,
            "vocabulary": spec.vocabulary,
            "convention": _AS_TRAINED,
            "weights_sha256": self.engine.digest,
            "precision": self.engine.precision,
            "text_mode": self.mode,
            "long_reports": f"cut at {spec.max_tokens}" if self.long == "cut" else self.long,
            "calibration": calibration,
        }
        if self.long == "windows":
            stamp["windows_by"] = WINDOW_RULE
        if any(head.classes == 1 for head in spec.heads):
            stamp |= {"labels_of": "the image: 1, 0", "mapping": self.decider.mapping}
        if self.abstain_below is not None:
            stamp["abstain_below"] = f"{float(self.abstain_below):g}"
        return stamp


def joined_text(report: ReportSpans, *, without: tuple[int, int] | None = None) -> str:
    """The texts of the sections, one after the other; characters that no tokenizer takes are replaced.

    `without` is a span of the original text that is left out.
    """
    start, end = without or (0, 0)
    bodies = []
    for section in sections_of(report):
        body = report.text[section.start : section.end]
        if start < section.end and end > section.start:
            body = report.text[section.start : max(start, section.start)] + report.text[end : section.end]
        bodies.append(body)
    return clean("\n".join(bodies))


def clean(text: str) -> str:
    """The text with what is half a character replaced."""
    return _SURROGATES.sub("\ufffd", text)


def sections_of(report: ReportSpans) -> tuple[Section, ...]:
    """The sections to read; the whole text where none are named."""
    return report.sections or (Section("body", 0, len(report.text)),)


def _check(options: NeuralLabeler) -> None:
    if options.long not in LONG:
        raise UnknownNameError("way with long reports", options.long, LONG)
    if options.text_mode is not None and options.text_mode not in TEXT_MODES:
        raise UnknownNameError("text mode", options.text_mode, TEXT_MODES)
    below = options.abstain_below
    if below is not None and not 0 <= float(below) <= 1:
        raise InputError(f"abstain_below is a probability from 0 to 1; got {below}.")
    if options.batch_size is not None and int(options.batch_size) < 1:
        raise InputError(f"batch_size is at least 1; got {options.batch_size}.")
    if options.weights is None:
        raise InputError(no_weights(options.name))


def no_weights(name: str) -> str:
    """The message when a labeler was given no weights: what is missing, and where weights come from."""
    return (
        f"The labeler {name!r} needs weights, and none were given. Next step: --weights DIR (in Python: weights=...), "
        "a folder that hilum convert makes of a public checkpoint (hilum convert CHECKPOINT.pth DIR --tokenizer "
        "TOKENIZER), or that training writes (hilum train labeler)."
    )
