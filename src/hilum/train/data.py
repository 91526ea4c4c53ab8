"""Files of reports and labels to rows of text with targets."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix, ProbabilityMatrix
from hilum.core.vocabulary import SHIPPED, State
from hilum.models.encoder_spec import EncoderSpec
from hilum.tables._label_rows import counted
from hilum.tables.columns import section_of_column
from hilum.tables.detect import open_reports
from hilum.tables.labels import ReportTexts, read_labels, read_probabilities, read_reports_by_key
from hilum.text.bert_text import prepare
from hilum.text.sections import SECTION_CHOICES, select_sections
from hilum.train.config import LabelerTraining
from hilum.train.losses import IGNORED

LABELS, EXPERTS, SOFT = "labels", "experts", "soft labels"
"""Names of the steps of a training."""

_SHOWN = 3
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Texts, ready for the tokenizer, with targets [N, F] in the order of the heads.

    Targets are class ids (int64, IGNORED where a cell is not counted) or probabilities (float32). `states_NF` are
    int8 `State` codes with LEFT_OUT, for scores; None for probabilities. `groups` are patients, where asked for.
    """

    name: str
    texts: tuple[str, ...]
    targets_NF: npt.NDArray[Any]
    states_NF: npt.NDArray[np.int8] | None
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places: Sequence[int] | npt.NDArray[np.intp]) -> TrainingRows:
        """The rows at these places, in this order."""
        rows = np.asarray(places, dtype=np.intp)
        return replace(
            self,
            texts=tuple(self.texts[i] for i in rows),
            targets_NF=self.targets_NF[rows],
            states_NF=None if self.states_NF is None else self.states_NF[rows],
            groups=None if self.groups is None else tuple(self.groups[i] for i in rows),
        )


class _Reports(NamedTuple):
    read: ReportTexts
    groups: tuple[str, ...] | None
    where: str


def read_rows(config: LabelerTraining, spec: EncoderSpec) -> list[TrainingRows]:
    """The rows of each step of a training, in order.

    Labels are joined with reports by key, or row by row when one file holds both. Reports without text, without
    the section asked for and without labels are left out and counted in `notes`. Raises InputError when files
    cannot be joined for sure, lack a finding, or have nothing to learn from.
    """
    if config.soft_labels is not None:
        return [_read_step(SOFT, config.reports, config.soft_labels, config, spec)]
    steps = [_read_step(LABELS, config.reports, config.labels, config, spec)] if config.labels else []
    if config.expert_labels is not None:
        reports = config.expert_reports or config.reports
        steps.append(_read_step(EXPERTS, reports, config.expert_labels, config, spec))
    return steps


def data_digests(config: LabelerTraining) -> dict[str, str]:
    """SHA-256, in hex, of each file or folder that is read, by option name."""
    paths = {
        name: getattr(config, name)
        for name in ("reports", "labels", "expert_reports", "expert_labels", "soft_labels", "checkpoint")
    }
    if config.pretrained is not None and Path(config.pretrained).exists():
        paths["pretrained"] = Path(config.pretrained)
    return {name: digest(path) for name, path in paths.items() if path is not None and path.exists()}


def digest(path: Path) -> str:
    """SHA-256, in hex, of a file, or of the names and bytes of the files in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for one in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(f"{one.relative_to(path).as_posix()}\0{digest(one)}\n".encode())
    return total.hexdigest()


# --- reading ---


def _read_step(
    name: str, reports_path: Path, labels_path: Path, config: LabelerTraining, spec: EncoderSpec
) -> TrainingRows:
    soft = name == SOFT
    together = _same_file(reports_path, labels_path)
    reports = _read_reports(reports_path, config, key=config.key)
    matrix, key = _read_matrix(labels_path, config, key=config.key, soft=soft)
    if not together and config.key is None and key is not None and key != reports.read.key:
        reports, matrix, key = _with_one_key(
            reports, matrix, key, reports_path, labels_path, config, soft=soft
        )
    if together:
        pairs, notes = _by_row(reports, matrix, labels_path)
    else:
        pairs, notes = _by_key(reports, matrix, key, labels_path)
    pairs, unlabeled = _labeled(pairs, matrix)
    pairs, texts, dropped = _texts(reports, pairs, config, spec)
    dropped = [*unlabeled, *dropped]
    values_NF, missing = _values(matrix.take([b for _, b in pairs]), spec, labels_path)
    if not pairs:
        raise InputError(
            f"{reports_path} and {labels_path}: of {len(reports.read.texts)} reports none has a text to learn from "
            f"({'; '.join([*notes, *dropped])}). Next step: check --column, --section and --key."
        )
    targets_NF, states_NF = _targets(values_NF, config, spec, labels_path)
    return TrainingRows(
        name,
        tuple(texts),
        targets_NF,
        states_NF,
        None if reports.groups is None else tuple(reports.groups[a] for a, _ in pairs),
        (*notes, *dropped, *missing, *_one_class(targets_NF, spec, soft=soft)),
    )


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _read_reports(path: Path, config: LabelerTraining, *, key: str | None) -> _Reports:
    read = read_reports_by_key(path, key=key, column=config.column)
    groups = None
    if config.group is not None:
        groups = read_reports_by_key(path, key=config.group, column=config.column).ids or None
        if groups is None:
            raise InputError(f"{path}: the column {config.group!r} is empty. Next step: another --group.")
    return _Reports(read, groups, str(path))


def _read_matrix(
    path: Path, config: LabelerTraining, *, key: str | None, soft: bool
) -> tuple[LabelMatrix | ProbabilityMatrix, str | None]:
    if soft:
        probabilities = read_probabilities(path, vocabulary=config.vocabulary, key=key)
        return probabilities.matrix, probabilities.key
    labels = read_labels(path, vocabulary=config.vocabulary, key=key, texts=False, left_out=True)
    return labels.matrix, labels.key


def _with_one_key(
    reports: _Reports,
    matrix: LabelMatrix | ProbabilityMatrix,
    key: str,
    reports_path: Path,
    labels_path: Path,
    config: LabelerTraining,
    *,
    soft: bool,
) -> tuple[_Reports, LabelMatrix | ProbabilityMatrix, str]:
    """Both files by a key column that both have, when there is one; else each by its own."""
    try:
        return _read_reports(reports_path, config, key=key), matrix, key
    except InputError:
        pass
    if reports.read.key is not None:
        try:
            matrix, found = _read_matrix(labels_path, config, key=reports.read.key, soft=soft)
            return reports, matrix, found or key
        except InputError:
            pass
    return reports, matrix, key


def _by_row(
    reports: _Reports, matrix: LabelMatrix | ProbabilityMatrix, path: Path
) -> tuple[list[tuple[int, int]], list[str]]:
    n = len(reports.read.texts)
    if n != len(matrix):
        raise InputError(
            f"{path} has {n} rows as a file of reports and {len(matrix)} as a file of labels, so its rows cannot be "
            "told apart for sure. Next step: check it for damaged rows."
        )
    return [(i, i) for i in range(n)], [f"{n:,} rows of {path.name} have report and labels"]


def _by_key(
    reports: _Reports, matrix: LabelMatrix | ProbabilityMatrix, key: str | None, path: Path
) -> tuple[list[tuple[int, int]], list[str]]:
    read = reports.read
    if not read.texts:
        raise InputError(f"{reports.where} has no reports. Next step: check how it was written.")
    if not read.ids or not matrix.ids:
        lacking = reports.where if not read.ids else str(path)
        raise InputError(
            f"{lacking} has no key column, and reports and labels in two files are joined by key alone. "
            "Next step: name it with --key COLUMN, or give one file that holds both."
        )
    a, b = (
        _places(read.ids, _same_texts(read), reports.where),
        _places(matrix.ids, _same_states(matrix), str(path)),
    )
    shared = [one for one in a if one in b]
    if not shared:
        raise InputError(
            f"No key of {reports.where} (column {read.key!r}: {_some(a)}) is in {path} (column {key!r}: {_some(b)}). "
            "Next step: name the column that both share with --key COLUMN."
        )
    notes = [f"{len(shared):,} reports were joined with labels by {read.key!r}"]
    if len(a) > len(shared):
        notes.append(f"{len(a) - len(shared):,} reports have no labels and were left out")
    if len(b) > len(shared):
        notes.append(f"{len(b) - len(shared):,} rows of labels have no report and were left out")
    return [(a[one], b[one]) for one in shared], notes


def _labeled(
    pairs: Sequence[tuple[int, int]], matrix: LabelMatrix | ProbabilityMatrix
) -> tuple[list[tuple[int, int]], list[str]]:
    """The pairs whose row of labels has any, and notes on rows and cells that a labeler gave no label."""
    if not isinstance(matrix, LabelMatrix):
        return list(pairs), []
    none_NF = matrix.states_NF == LEFT_OUT
    kept = [pair for pair in pairs if not none_NF[pair[1]].all()]
    notes = []
    if lost := len(pairs) - len(kept):
        said = counted(lost, "report has no label", "reports have no label")
        notes.append(f"{said} (status, abstained) and {'was' if lost == 1 else 'were'} left out")
    if cells := int(none_NF[[b for _, b in kept]].sum()):
        said = counted(cells, "label was", "labels were")
        notes.append(f"{said} too doubtful to be given (column abstained) and not learned")
    return kept, notes


def _places(ids: Sequence[str], content: Sequence[object], where: str) -> dict[str, int]:
    """Key -> its row; rows that repeat a key must say the same."""
    found: dict[str, int] = {}
    for place, one in enumerate(ids):
        if one and content[found.setdefault(one, place)] != content[place]:
            raise InputError(
                f"{where}: the key {one!r} stands in rows {found[one] + 1} and {place + 1}, which are not the same. "
                "Next step: name a column that is different for each report with --key COLUMN."
            )
    return found


def _same_texts(read: ReportTexts) -> Sequence[object]:
    return read.texts


def _same_states(matrix: LabelMatrix | ProbabilityMatrix) -> Sequence[object]:
    values = matrix.states_NF if isinstance(matrix, LabelMatrix) else matrix.values_NF
    return [row.tobytes() for row in values]


def _some(ids: dict[str, int]) -> str:
    return ", ".join(repr(one) for one in list(ids)[:_SHOWN]) or "none"


# --- texts ---


def _texts(
    reports: _Reports, pairs: Sequence[tuple[int, int]], config: LabelerTraining, spec: EncoderSpec
) -> tuple[list[tuple[int, int]], list[str], list[str]]:
    headless = section_of_column(open_reports(reports.where, column=config.column).text_column)
    kept: list[tuple[int, int]] = []
    texts: list[str] = []
    dropped: Counter[str] = Counter()
    for pair in pairs:
        raw = reports.read.texts[pair[0]]
        if raw is None:
            dropped["without text"] += 1
            continue
        text = prepare(
            _SURROGATES.sub("\ufffd", section_text(raw, config.section, headless_as=headless)), spec.text
        )
        if text:
            kept.append(pair)
            texts.append(text)
        else:
            dropped[f"with nothing in the section {config.section!r}"] += 1
    return kept, texts, [f"{n:,} reports {what} were left out" for what, n in dropped.items()]


def section_text(text: str, section: str, *, headless_as: str | None = None) -> str:
    """The sections of a report that are asked for, one after the other; "" when it has none of them."""
    if section not in SECTION_CHOICES:
        raise UnknownNameError("section choice", section, SECTION_CHOICES)
    found = select_sections(text, section, headless_as=headless_as)
    return "\n".join(text[one.start : one.end] for one in found)


# --- targets ---


def _values(
    matrix: LabelMatrix | ProbabilityMatrix, spec: EncoderSpec, path: Path
) -> tuple[npt.NDArray[Any], list[str]]:
    lacking = [name for name in spec.findings if name not in matrix.findings]
    if lacking:
        raise InputError(
            f"{path} has no column for {', '.join(lacking)}, and the model has a head for each. Next step: train heads "
            "for what is there with --findings A,B (names separated by commas), or label the rest too."
        )
    places = [matrix.findings.index(name) for name in spec.findings]
    values = matrix.states_NF if isinstance(matrix, LabelMatrix) else matrix.values_NF
    more = [name for name in matrix.findings if name not in spec.findings]
    return values[:, places], [f"labels of {', '.join(more)} are not used"] if more else []


def _targets(
    values_NF: npt.NDArray[Any], config: LabelerTraining, spec: EncoderSpec, path: Path
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int8] | None]:
    if config.soft:
        return values_NF.astype(np.float32), None
    if not np.any((values_NF != State.BLANK) & (values_NF != LEFT_OUT)):
        raise InputError(
            f"{path}: every label is blank, so there is nothing to learn. Next step: check its columns."
        )
    states_NF = values_NF.astype(np.int8)
    if config.heads == "presence":
        matrix = LabelMatrix("", SHIPPED[config.vocabulary], spec.findings, (), states_NF)
        binary_NF = matrix.binary(config.policy)
        targets_NF = np.where(binary_NF == LEFT_OUT, IGNORED, binary_NF.astype(np.int64))
        return targets_NF, np.where(binary_NF == 1, State.POSITIVE, binary_NF).astype(np.int8)
    none_NF = states_NF == LEFT_OUT
    small_F = np.array([head.classes == 2 for head in spec.heads])
    other_NF = small_F & (states_NF != State.POSITIVE) & ~none_NF
    states_NF = np.where(other_NF, State.BLANK, states_NF).astype(np.int8)
    return np.where(none_NF, IGNORED, states_NF.astype(np.int64)), states_NF


def _one_class(targets_NF: npt.NDArray[Any], spec: EncoderSpec, *, soft: bool) -> list[str]:
    if soft:
        return []
    same = [
        name
        for name, column in zip(spec.findings, targets_NF.T, strict=True)
        if len(np.unique(column[column != IGNORED])) < 2
    ]
    return [f"{', '.join(same)}: all labels are the same, so nothing else can be learned"] if same else []
