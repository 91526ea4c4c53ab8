"""Whether this installation gives the labels that were shipped.

`selftest/cases.toml` has invented sentences and reports with the labels that a reader gives them; it is
written by hand. `selftest/phrases.jsonl` has a text for every phrase of the lexicon, with the labels of the
shipped labeler, so that a changed phrase shows wherever it stands. `selftest/digests.toml` has the digests of
the lexicon and of all evidence. Labels must be equal; a digest that differs is only told.

After a change of the lexicon, look at what `hilum selftest` says, and when every difference is meant, run
`python -m hilum.labelers._selftest --write`, which writes the phrases and the digests anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hilum.core.errors import SelfTestError
from hilum.core.records import Labels
from hilum.core.vocabulary import CSV_CODES
from hilum.labelers import Labeler, ReportSpans, get_labeler
from hilum.labelers._selftest_texts import lexicon_texts
from hilum.text.sections import select_sections

SETTINGS: Mapping[str, tuple[str, str]] = {
    "house": ("chexpert14", "house"),
    "chexpert": ("chexpert14", "chexpert"),
    "nih14": ("nih14", "house"),
}
"""Key in the shipped files -> vocabulary and convention."""

_SHOWN = 5
_NEXT = (
    "Next step: install hilum anew. If the lexicon was changed on purpose, read the differences, correct "
    "selftest/cases.toml where it no longer says what a reader says, and run "
    "python -m hilum.labelers._selftest --write."
)

Codes = Mapping[str, int]


@dataclass(frozen=True)
class Case:
    """A text and, for each setting, finding -> 1, 0 or -1; a finding that is not named is blank."""

    kind: str
    text: str
    expected: Mapping[str, Codes]


@dataclass(frozen=True)
class SelfTestResult:
    """How many sentences, reports and phrases kept their labels, and what differs besides labels."""

    sentences: int
    reports: int
    phrases: int
    notes: tuple[str, ...]


def run() -> SelfTestResult:
    """Label every shipped text.

    Raises SelfTestError, naming finding, text, the label expected and the label got, when any label differs.
    """
    cases = [*read_cases(), *_read_phrases()]
    digests = _shipped_digests()
    differences: list[str] = []
    notes = []
    for setting in SETTINGS:
        labeler = _labeler(setting)
        labels = _label(labeler, cases)
        for case, got in zip(cases, labels, strict=True):
            differences += _differences(case, setting, got)
        found = {
            "lexicon_sha256": labeler.stamp["lexicon_sha256"],
            "evidence_sha256": evidence_digest(labels),
        }
        shipped = digests.get(setting, {})
        notes += [
            f"{setting}: {key} is not the shipped one" for key in found if found[key] != shipped.get(key)
        ]
    if differences:
        raise SelfTestError(_message(differences))
    kinds = [case.kind for case in cases]
    return SelfTestResult(kinds.count("sentence"), kinds.count("report"), kinds.count("phrase"), tuple(notes))


def read_cases() -> list[Case]:
    """The sentences and reports of `selftest/cases.toml`.

    A case without labels of the convention `chexpert` has those of the house.
    """
    data = tomllib.loads(_read("cases.toml"))
    return [
        Case(kind, entry["text"], {s: entry.get(s, entry["house"]) for s in SETTINGS})
        for kind in ("sentence", "report")
        for entry in data[kind]
    ]


def evidence_digest(labels: Iterable[Labels]) -> str:
    """SHA-256 over the states and all evidence, in order."""
    digest = hashlib.sha256()
    for one in labels:
        digest.update(repr([tuple(map(int, one.states)), *map(tuple, one.evidence)]).encode())
    return digest.hexdigest()


def write(folder: Path) -> None:
    """Write the phrases and the digests of the labeler as it is now into `folder`.

    Raises SelfTestError when a sentence or report of `cases.toml` has other labels than it says.
    """
    cases = read_cases()
    texts = lexicon_texts()
    phrases: list[dict[str, Codes]] = [{} for _ in texts]
    differences: list[str] = []
    digests = []
    for setting in SETTINGS:
        labeler = _labeler(setting)
        labels = _label(labeler, cases)
        differences += [
            d for c, got in zip(cases, labels, strict=True) for d in _differences(c, setting, got)
        ]
        labels += _label(labeler, [Case("phrase", text, {}) for text in texts])
        for codes, got in zip(phrases, labels[len(cases) :], strict=True):
            codes[setting] = _codes(got)
        digests.append(f"[{setting}]\nlexicon_sha256 = {json.dumps(labeler.stamp['lexicon_sha256'])}\n")
        digests.append(f"evidence_sha256 = {json.dumps(evidence_digest(labels))}\n")
    if differences:
        raise SelfTestError(_message(differences))
    lines = [_phrase_line(text, codes) for text, codes in zip(texts, phrases, strict=True)]
    (folder / "phrases.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
    head = "# Written by python -m hilum.labelers._selftest --write\n"
    (folder / "digests.toml").write_text(head + "".join(digests), encoding="utf-8", newline="\n")


def _phrase_line(text: str, codes: Mapping[str, Codes]) -> str:
    kept = {s: c for s, c in codes.items() if s == "house" or c != codes["house"]}
    return json.dumps({"text": text, **kept}, ensure_ascii=False) + "\n"


def _read_phrases() -> Iterator[Case]:
    for line in _read("phrases.jsonl").splitlines():
        entry = json.loads(line)
        yield Case("phrase", entry["text"], {s: entry.get(s, entry["house"]) for s in SETTINGS})


def _shipped_digests() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(_read("digests.toml"))


def _read(name: str) -> str:
    return files("hilum.labelers").joinpath("selftest", name).read_text(encoding="utf-8")


def _labeler(setting: str) -> Labeler:
    vocabulary, convention = SETTINGS[setting]
    return get_labeler("rules", vocabulary=vocabulary, convention=convention)


def _label(labeler: Labeler, cases: Iterable[Case]) -> list[Labels]:
    return labeler.label_batch(
        [ReportSpans(c.text, select_sections(c.text, "both") if c.kind == "report" else ()) for c in cases]
    )


def _codes(labels: Labels) -> dict[str, int]:
    codes = {name: CSV_CODES[state] for name, state in labels.as_dict().items()}
    return {name: code for name, code in codes.items() if code is not None}


def _differences(case: Case, setting: str, labels: Labels) -> list[str]:
    got, expected = _codes(labels), case.expected[setting]
    vocabulary, convention = SETTINGS[setting]
    names = [n for n in (*labels.vocabulary.names, *expected) if got.get(n) != expected.get(n)]
    return [
        f"{name} ({vocabulary}, convention {convention}): expected {expected.get(name, 'blank')}, "
        f"got {got.get(name, 'blank')} for the {case.kind} {case.text!r}"
        for name in dict.fromkeys(names)
    ]


def _message(differences: list[str]) -> str:
    more = len(differences) - _SHOWN
    lines = [*differences[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
    return f"{len(differences):,} labels are not as shipped.\n  " + "\n  ".join(lines) + f"\n{_NEXT}"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m hilum.labelers._selftest --write")
    write(Path(str(files("hilum.labelers").joinpath("selftest"))))
