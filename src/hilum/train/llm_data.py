"""Reports and labels to instructions with answers: what a language model learns (LLM labeler paper, Figure 1)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, OutputError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import State, Vocabulary
from hilum.labelers._lexicon_files import vocabulary_of, vocabulary_stack
from hilum.labelers._prompt import Prompt
from hilum.models.answer_lines import END, answer_ids, choice_ids, prompt_ids
from hilum.tables.columns import section_of_column
from hilum.tables.detect import open_reports
from hilum.train import data
from hilum.train.llm_config import LlmTraining
from hilum.train.losses import IGNORED


@dataclass(frozen=True, eq=False)
class InstructionRows:
    """Reports with labels: `states_NF` are int8 `State` codes of all findings of `vocabulary`, LEFT_OUT for none.

    `ids` are the keys, or numbers of rows where there are none. `groups` are patients, where asked for.
    """

    vocabulary: Vocabulary
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    states_NF: npt.NDArray[np.int8]
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places: Sequence[int] | npt.NDArray[np.intp]) -> InstructionRows:
        """The rows at these places, in this order."""
        rows = np.asarray(places, dtype=np.intp)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            texts=tuple(self.texts[i] for i in rows),
            states_NF=self.states_NF[rows],
            groups=None if self.groups is None else tuple(self.groups[i] for i in rows),
        )


class TokenRow(NamedTuple):
    """One row as tokens [T]: `labels` are ids to be learned or IGNORED, `lines` 0 for the prompt, then 1, 2..."""

    ids: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int16]


def vocabulary_for(name: str) -> Vocabulary:
    """The vocabulary of that name that ships, or the one in a TOML file."""
    return vocabulary_of(vocabulary_stack(name)[-1])


def read_instructions(config: LlmTraining) -> InstructionRows:
    """The reports that have text and labels, in the order of the file; what is left out is counted in `notes`.

    Raises InputError when files cannot be joined for sure, lack a finding, or have nothing to learn from.
    """
    labels_path = config.labels
    assert labels_path is not None  # noqa: S101  (checked by LlmTraining)
    vocabulary = vocabulary_for(config.vocabulary)
    reading: Any = SimpleNamespace(
        column=config.column, key=config.key, group=config.group, vocabulary=vocabulary
    )
    together = data._same_file(config.reports, labels_path)
    reports = data._read_reports(config.reports, reading, key=config.key)
    matrix: Any
    matrix, key = data._read_matrix(labels_path, reading, key=config.key, soft=False)
    if not together and config.key is None and key is not None and key != reports.read.key:
        reports, matrix, key = data._with_one_key(
            reports, matrix, key, config.reports, labels_path, reading, soft=False
        )
    if together:
        pairs, notes = data._by_row(reports, matrix, labels_path)
    else:
        pairs, notes = data._by_key(reports, matrix, key, labels_path)
    pairs, unlabeled = data._labeled(pairs, matrix)
    kept, texts, dropped = _texts(reports.read.texts, [a for a, _ in pairs], config)
    if not kept:
        raise InputError(
            f"{config.reports} and {labels_path}: of {len(reports.read.texts)} reports none has a text to learn from "
            f"({'; '.join([*notes, *unlabeled, *dropped])}). Next step: check --column, --section and --key."
        )
    pairs = [pairs[i] for i in kept]
    return InstructionRows(
        vocabulary,
        tuple(reports.read.ids[a] if reports.read.ids else str(a) for a, _ in pairs),
        tuple(texts),
        _states(matrix.take([b for _, b in pairs]), vocabulary, labels_path),
        None if reports.groups is None else tuple(reports.groups[a] for a, _ in pairs),
        (*notes, *unlabeled, *dropped, *_unused(matrix, vocabulary)),
    )


def _texts(
    raw: Sequence[str | None], places: Sequence[int], config: LlmTraining
) -> tuple[list[int], list[str], list[str]]:
    headless = section_of_column(open_reports(config.reports, column=config.column).text_column)
    kept: list[int] = []
    texts: list[str] = []
    dropped: Counter[str] = Counter()
    for number, place in enumerate(places):
        report = raw[place]
        if report is None or not report.strip():
            dropped["without text"] += 1
            continue
        clean = data._SURROGATES.sub("�", report)
        text = data.section_text(clean, config.section, headless_as=headless).strip()
        if text:
            kept.append(number)
            texts.append(text)
        else:
            dropped[f"with nothing in the section {config.section!r}"] += 1
    return kept, texts, [f"{n:,} reports {what} were left out" for what, n in dropped.items()]


def _unused(matrix: LabelMatrix, vocabulary: Vocabulary) -> list[str]:
    more = [name for name in matrix.findings if name not in vocabulary.names]
    return [f"labels of {', '.join(more)} are not used"] if more else []


def _states(matrix: LabelMatrix, vocabulary: Vocabulary, path: Path) -> npt.NDArray[np.int8]:
    lacking = [name for name in vocabulary.names if name not in matrix.findings]
    if lacking:
        raise InputError(
            f"{path} has no column for {', '.join(lacking)}, and every finding of {vocabulary.name} is asked for. "
            f"Columns there are: {', '.join(matrix.findings) or 'none'}. Next step: label the rest too, or name the "
            "findings that are there in a file for --vocabulary FILE.toml."
        )
    states_NF = matrix.select(vocabulary.names).states_NF
    there = np.setdiff1d(states_NF, LEFT_OUT)
    if len(there) < 2:
        said = State(int(there[0])).name.lower() if len(there) else "missing"
        raise InputError(
            f"{path}: every label of the {len(matrix):,} reports is {said}, so there is "
            "nothing to learn. Next step: check its columns and its codes (1, 0, -1, blank)."
        )
    return states_NF


def chosen_lines(
    rows: InstructionRows, place: int, prompt: Prompt, *, seed: int
) -> list[tuple[int, int, str, str]]:
    """(place of the finding, state, finding, word of the state) of a row's answer, in the order drawn for it.

    What has no label is not asked for.
    """
    order = rng_for(seed, "order", rows.ids[place]).permutation(len(rows.vocabulary))
    return [
        (
            int(f),
            int(rows.states_NF[place, f]),
            rows.vocabulary.names[f],
            prompt.words[rows.states_NF[place, f]],
        )
        for f in order
        if rows.states_NF[place, f] != LEFT_OUT
    ]


def write_instances(path: Path, rows: InstructionRows, prompt: Prompt, *, seed: int) -> None:
    """Write one JSON object per row: `id`, `prompt` and `completion` as chat turns, and `labels` by finding.

    The form that TRL and other trainers read. Raises OutputError when there is no room or no permission.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for place in range(len(rows)):
                instance = _instance(rows, place, prompt, seed=seed)
                file.write(json.dumps(instance, ensure_ascii=False) + "\n")
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Next step: another place."
        ) from error


def _instance(rows: InstructionRows, place: int, prompt: Prompt, *, seed: int) -> dict[str, Any]:
    lines = chosen_lines(rows, place, prompt, seed=seed)
    said = "".join(f"{finding}: {word}{END}" for _, _, finding, word in lines)
    question = prompt.question(rows.texts[place], rows.vocabulary)
    return {
        "id": rows.ids[place],
        "prompt": [message._asdict() for message in question.messages],
        "completion": [{"role": "assistant", "content": said}],
        "labels": {
            name: State(int(state)).name.lower()
            for name, state in zip(rows.vocabulary.names, rows.states_NF[place], strict=True)
            if state != LEFT_OUT
        },
    }


class Encoded(NamedTuple):
    """Rows as tokens, the places of the rows that they are, and how many were too long and left out."""

    rows: list[TokenRow]
    places: list[int]
    too_long: int


def encode_rows(
    rows: InstructionRows, prompt: Prompt, tokenizer: Any, *, seed: int, max_tokens: int | None
) -> Encoded:
    """Conversation and answer of each row as token ids; only choices and ends of lines are to be learned.

    A row of more than `max_tokens` is left out, whole, and counted. Raises InputError when the tokenizer cannot
    tell the states apart or has no chat template.
    """
    choice_ids(tokenizer, prompt.words)
    lines = {
        (f, state): answer_ids(tokenizer, [(finding, prompt.words[state])])
        for f, finding in enumerate(rows.vocabulary.names)
        for state in range(len(prompt.words))
    }
    found: list[TokenRow] = []
    places: list[int] = []
    for place, report in enumerate(rows.texts):
        ids = list(prompt_ids(tokenizer, prompt.question(report, rows.vocabulary).messages))
        labels, belongs = [IGNORED] * len(ids), [0] * len(ids)
        for number, (f, state, _, _) in enumerate(chosen_lines(rows, place, prompt, seed=seed), 1):
            line = lines[f, state]
            ids += line.ids
            labels += [
                one if learned else IGNORED for one, learned in zip(line.ids, line.learned, strict=True)
            ]
            belongs += [number] * len(line.ids)
        if max_tokens is None or len(ids) <= max_tokens:
            found.append(
                TokenRow(np.array(ids, np.int32), np.array(labels, np.int32), np.array(belongs, np.int16))
            )
            places.append(place)
    return Encoded(found, places, len(rows) - len(found))
