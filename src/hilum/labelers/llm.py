"""Labels of an instruction-tuned language model, on this machine or on a server (JMIR Med Inform 2025;13:e68618).

The model is asked with a prompt (`prompts.toml`) and can answer nothing but one of four words per finding. A report
that is longer than its context is read in windows; one that gets no answer has the status "failed" and no label.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hilum.core.records import Labels, RowStatus
from hilum.core.version import VERSION
from hilum.core.vocabulary import CHEXPERT14, State, Vocabulary
from hilum.labelers._base import ModelLabels, ReportSpans, Traits
from hilum.labelers._decide import WINDOW_RULE, Floats
from hilum.labelers._few_shot import read_examples
from hilum.labelers._lexicon_files import load_vocabulary
from hilum.labelers._llm_card import LlmCard, load_card
from hilum.labelers._llm_engine import SCORING, cache_folder, engine_of
from hilum.labelers._llm_reading import Asker, Reading
from hilum.labelers._neural import clean, joined_text
from hilum.labelers._prompt import FULL, JSON, LINES, load_prompt
from hilum.models.engine import Engine

CHUNK = 64
"""Reports that a killed run loses at most: a language model is slow."""

_NO_EVIDENCE = "a server's model gives labels without probabilities and without the sentences behind them"
_TRAINED = "as the model was trained"


@dataclass(kw_only=True, eq=False)
class LlmLabeler:
    """Labels reports with a language model. The fields are the options of `hilum label`.

    `model` is a folder or id of a causal model with a chat template, or with `endpoint` (a server that speaks the
    OpenAI chat protocol) the name of one there. `prompt` is a name or a TOML file; None is the one that the model was
    trained with, else "full". `few_shot` is a file of labeled reports that are shown first. `answer` is "scoring" or
    "generation" (models on this machine). `vocabulary` is a name or a TOML file; None is that of the training, else
    chexpert14. `context` is the most tokens that a question may have, where that is less than the model reads or the
    server does not say it. `requests` are in flight at most and wait `timeout` seconds each, `cache` is a folder
    for answers ("none" for nowhere), `api_key_env` the environment variable with the key (servers). Labels whose
    probability is below `abstain_below` are not given. `engine` is a model that is there already.

    Raises InputError for options that cannot be used or do not fit together, MissingExtraError without the packages.
    """

    model: str | Path | None = None
    endpoint: str | None = None
    prompt: str | Path | None = None
    few_shot: str | Path | None = None
    answer: str | None = None
    vocabulary: Any = None
    context: int | None = None
    requests: int | None = None
    timeout: float | None = None
    cache: str | Path | None = None
    api_key_env: str | None = None
    device: str | None = None
    precision: str | None = None
    batch_size: int | None = None
    abstain_below: float | None = None
    threads: int | None = None
    engine: Engine | None = None

    name: ClassVar[str] = "llm"

    def __post_init__(self) -> None:
        card = None if self.model is None or self.endpoint is not None else load_card(self.model)
        wanted, self.vocabulary = self.vocabulary, _vocabulary(self.vocabulary, card)
        self.places, self.unsaid = tuple(range(len(self.vocabulary))), frozenset[int]()
        trained = card is not None and self.prompt is None
        prompt = card.prompt if card is not None and trained else load_prompt(self.prompt or FULL)
        examples = () if self.few_shot is None else read_examples(self.few_shot, self.vocabulary)
        given, self.engine = self.engine, engine_of(self)
        close = getattr(self.engine, "close", None)
        if given is None and close is not None:
            weakref.finalize(self, close)
        self.asker = Asker(
            self.engine,
            prompt,
            self.vocabulary,
            examples,
            LINES if self.endpoint is None else JSON,
            self.context,
        )
        self.asker.check_room()
        self.stamp: Mapping[str, str] = self._stamp()
        self.traits = Traits(
            section="both" if card is None else card.section,
            probabilities=self.endpoint is None and self.answer in (None, SCORING),
            abstains=self.abstain_below is not None,
            uses_all_cores=True,
            problems=True,
            chunk_size=CHUNK,
            learned=card is not None,
            notes=self._notes(card, asked=wanted is not None),
            no_probabilities="take --answer scoring"
            if self.endpoint is None
            else "ask a model on this machine",
        )

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        """One `Labels` per report, in order, without evidence; see `explain_batch`.

        A report without an answer is FAILED and blank, and its `problem` says why.
        """
        texts = [self.text_of(report) for report in reports]
        read = [i for i, text in enumerate(texts) if text.strip()]
        nothing = (State.BLANK,) * len(self.vocabulary)
        results: list[Labels] = [Labels(self.vocabulary, nothing, (), RowStatus.EMPTY)] * len(texts)
        if read:
            readings = self.asker.read([texts[i] for i in read])
            found = self.asker.answered(readings)
            for row, (i, reading) in enumerate(zip(read, readings, strict=True)):
                results[i] = self._labels(found.states_NF[row].tolist(), found.values_NFS[row], reading)
        return results

    def explain_batch(self, reports: Sequence[ReportSpans], labels: Sequence[Labels]) -> list[Labels]:
        """The same labels with the sentences behind them, found by leaving each out (`_occlusion`).

        The answers of a server have no probabilities, so there is nothing to compare: its labels come back as they are.
        """
        from hilum.labelers._occlusion import sentences_behind  # noqa: PLC0415

        if self.endpoint is not None:
            return list(labels)
        behind = sentences_behind(self, reports, labels)
        return [replace(one, evidence=found) for one, found in zip(labels, behind, strict=True)]

    def after_run(self) -> tuple[str, ...]:
        """What a server took and what is unusual about it; nothing of a model on this machine."""
        tally = getattr(self.engine, "tally", None)
        return () if tally is None else (*tally.told(), *getattr(self.engine, "notes", ()))

    def text_of(self, report: ReportSpans, *, without: tuple[int, int] | None = None) -> str:
        """What the model reads of a report: the texts of its sections, without their headings."""
        return joined_text(report, without=without)

    def prepared(self, text: str) -> str:
        """A text as it is put into the question."""
        return clean(text)

    def deciding(self, texts: Sequence[str]) -> Floats:
        """Probabilities of the states, float64 [N, F, 4]; NaN for a text without an answer."""
        return self.asker.answered(self.asker.read(texts)).values_NFS

    def _labels(self, states: list[int], values_FS: Floats, reading: Reading) -> ModelLabels:
        windows = len(reading.values_WFS)
        if reading.problem:
            nothing = (State.BLANK,) * len(self.vocabulary)
            return ModelLabels(
                self.vocabulary, nothing, status=RowStatus.FAILED, windows=windows, problem=reading.problem
            )
        sure = np.take_along_axis(values_FS, np.array(states)[:, None], axis=1)[:, 0]
        below = -1.0 if self.abstain_below is None else float(self.abstain_below)
        doubtful = [bool(p < below) for p in sure]
        measured = reading.measured and self.traits.probabilities
        return ModelLabels(
            self.vocabulary,
            tuple(State.BLANK if d else State(s) for s, d in zip(states, doubtful, strict=True)),
            probabilities=tuple(values_FS[:, State.POSITIVE].tolist()) if measured else None,
            windows=windows,
            abstained=tuple(name for name, d in zip(self.vocabulary.names, doubtful, strict=True) if d),
        )

    def _stamp(self) -> dict[str, str]:
        asker = self.asker
        shown = json.dumps([[example.report, *map(int, example.states)] for example in asker.examples])
        stamp = {
            "labeler": self.name,
            "version": VERSION,
            "vocabulary": self.vocabulary.name,
            "convention": "as the prompt says",
            **asker.engine.stamp,
            "prompt": f"{asker.prompt.name} {asker.prompt.version}",
            "prompt_sha256": asker.prompt.digest,
            "vocabulary_sha256": _digest(self.vocabulary),
            "context": "as the server has it" if asker.limit is None else str(asker.limit),
            "windows_by": WINDOW_RULE,
        }
        if asker.examples:
            stamp["few_shot"] = f"{len(asker.examples)}, sha256 {hashlib.sha256(shown.encode()).hexdigest()}"
        if self.abstain_below is not None:
            stamp["abstain_below"] = f"{float(self.abstain_below):g}"
        return stamp

    def _notes(self, card: LlmCard | None, *, asked: bool) -> tuple[str, ...]:
        prompt = self.asker.prompt
        whence = _TRAINED if card is not None and card.prompt == prompt else "hilum show prompt prints it"
        notes = [f"asked with the prompt {prompt.name!r}, version {prompt.version} ({whence})"]
        if card is not None and card.prompt != prompt:
            notes.append(f"the model was trained with another prompt, {card.prompt.name!r}")
        if card is not None and self.asker.examples:
            notes.append("the model was trained without examples (--few-shot)")
        if card is not None and asked and card.vocabulary.names != self.vocabulary.names:
            notes.append(
                f"the model was trained for {card.vocabulary.name}; it was never taught other findings than these"
            )
        if self.endpoint is not None:
            kept = cache_folder(self.cache)
            where = "are not kept" if kept is None else f"are kept in {kept}, so nothing is asked twice"
            notes += [f"answers of the server {where}", _NO_EVIDENCE]
        return tuple(notes)


def _vocabulary(given: Any, card: LlmCard | None) -> Vocabulary:
    if isinstance(given, Vocabulary):
        return given
    if given is None:
        return CHEXPERT14 if card is None else card.vocabulary
    return load_vocabulary(str(given))


def _digest(vocabulary: Vocabulary) -> str:
    """SHA-256 of what a model is told of the findings."""
    told = [[finding.name, finding.role, finding.definition] for finding in vocabulary.findings]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


build = LlmLabeler
