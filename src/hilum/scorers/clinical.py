"""Clinical F1, precision, recall and accuracy: a hilum labeler reads references and candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hilum.core.matrix import LabelMatrix
from hilum.core.records import Score
from hilum.core.vocabulary import CHEXPERT5, State
from hilum.labelers import Labeler, ReportSpans, get_labeler, labeler_options
from hilum.metrics.clinical import AVERAGES, ClinicalScores, clinical_scores, get_preset
from hilum.scorers._base import References, Tick, check_pairs, one_each, score_of
from hilum.text.sections import select_sections

_BATCH = 1000
_SHOWN = (
    *(f"f1_{average}" for average in AVERAGES),
    *(f"{rate}_{average}" for rate in ("precision", "recall") for average in ("micro", "macro", "example")),
    "accuracy",
    "exact_match",
)


class Clinical:
    """Gives clinical_f1_micro_14 and so on for all findings, the same with _5, and values per finding."""

    name = "clinical"
    version = "1"
    higher_is_better = True
    lowest, highest = 0.0, 1.0
    clinical = True
    plain = True

    def __init__(self, labeler: Labeler, preset: str, section: str) -> None:
        self._labeler = labeler
        self._rule = get_preset(preset)
        self._section = section
        select_sections("", section)
        self.preset = f"{preset}, {labeler.name}"
        self.stamp = {**labeler.stamp, "preset": preset, "section": section}

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """Averages over all findings, over the five of CheXpert where they are known, then each finding."""
        check_pairs(references, candidates)
        truth, said = self._label(one_each(references, scorer=self.name), candidates, progress)
        whole = clinical_scores(truth, said, preset=self._rule.name)
        scores = self._averages(whole, per_sample=per_sample)
        vocabulary = self._labeler.vocabulary
        if all(name in vocabulary for name in CHEXPERT5) and len(vocabulary) > len(CHEXPERT5):
            five = [vocabulary.names[vocabulary.index(name)] for name in CHEXPERT5]
            part = clinical_scores(truth.select(five), said.select(five), preset=self._rule.name)
            scores += self._averages(part, per_sample=per_sample)
        return [*scores, *self._findings(whole)]

    def _label(
        self, references: Sequence[str], candidates: Sequence[str], progress: Tick | None
    ) -> tuple[LabelMatrix, LabelMatrix]:
        """States of references and candidates; each distinct text is labeled once."""
        texts = list(dict.fromkeys([*references, *candidates]))
        place = {text: i for i, text in enumerate(texts)}
        states_TF = np.full((len(texts), len(self._labeler.vocabulary)), State.BLANK, dtype=np.int8)
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            spans = [
                ReportSpans(text, select_sections(text, self._section, headless_as=self._section))
                for text in batch
            ]
            read = [i for i, span in enumerate(spans) if span.sections]
            labels = self._labeler.label_batch([spans[i] for i in read])
            for i, one in zip(read, labels, strict=True):
                states_TF[start + i] = one.states
            if progress is not None:
                progress(min(start + _BATCH, len(texts)) * len(candidates) // len(texts), len(candidates))
        names = self._labeler.vocabulary.names
        matrices = [
            LabelMatrix(what, self._labeler.vocabulary, names, (), states_TF[[place[t] for t in given]])
            for what, given in (("references", references), ("candidates", candidates))
        ]
        return matrices[0], matrices[1]

    def _averages(self, scores: ClinicalScores, *, per_sample: bool) -> list[Score]:
        averages = scores.averages
        made = []
        for key in _SHOWN:
            value = averages.values[key]
            reports = averages.reports.get(key)
            made.append(
                score_of(
                    self,
                    f"{self.name}_{key}_{len(scores.findings)}",
                    value,
                    note=self._note(averages.counted.get(key), reports is not None),
                    per_sample=tuple(reports.tolist()) if per_sample and reports is not None else None,
                )
            )
        return made

    def _findings(self, scores: ClinicalScores) -> list[Score]:
        return [
            score_of(
                self,
                f"{self.name}_{rate}",
                float(values[place]),
                finding=finding,
                support=int(scores.support[place]),
            )
            for rate, values in scores.rates._asdict().items()
            for place, finding in enumerate(scores.findings)
        ]

    def _note(self, counted: tuple[int, int] | None, of_reports: bool) -> str:
        if counted is None:
            return ""
        defined, all_ = counted
        what = "reports" if of_reports else "findings"
        done = "count as 0" if self._rule.undefined == "zero" else "are left out"
        return f"not defined for {all_ - defined:,} of {all_:,} {what}, which {done}"


def build(
    *,
    labeler: str = "rules",
    vocabulary: str | None = None,
    convention: str | None = None,
    weights: str | None = None,
    preset: str = "f1chexbert",
    section: str = "both",
) -> Clinical:
    """The scorer; `preset` is a name of `metrics.clinical.PRESETS`, the rest as in `hilum label`."""
    given = {"vocabulary": vocabulary, "convention": convention, "weights": weights}
    return Clinical(get_labeler(labeler, **labeler_options(labeler, given)), preset, section)
