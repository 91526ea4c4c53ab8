"""Sentences with other words of the lexicon: mentions and cues that the rules found, swapped for others they know.

The small language model is to learn the rules, and 2,000 reports have few of their words. A swapped sentence need not
be good English; what it means to the rules is what they then say of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hilum.core.records import Evidence
from hilum.core.rng import rng_for
from hilum.labelers import ReportSpans
from hilum.labelers._lexicon_files import shipped
from hilum.labelers.rules import RuleLabeler
from hilum.text.phrases import expand

_MENTIONS, _STRUCTURES = ("mention", "abnormality"), ("structure",)
_SIDES = (
    ("negation-before", "uncertainty-before"), ("negation-after", "uncertainty-after"),
    ("normal", "abnormal", "borderline"),
)  # fmt: skip
_MENTION, _CUE, _FORM = 0.7, 0.3, 0.3
"""How often a mention, a cue, and a word of a phrase are swapped."""


class Swaps:
    """Phrases of the lexicon by finding, cues by what they may be swapped for, and forms of words."""

    def __init__(self) -> None:
        files = [(name, shipped(name).data) for name in ("chexpert14", "other")]
        self._phrases = {
            tables: _by_finding([data for _, data in files], tables) for tables in (_MENTIONS, _STRUCTURES)
        }
        self._structures = {
            f"{name}/{entry['id']}" for name, data in files for entry in data.get("structure", ())
        }
        cues = shipped("cues").data["cue"]
        self._side = {f"cues/{e['id']}": side for side in _SIDES for e in cues if e["kind"] in side}
        self._cues = {
            side: [expand(phrase) for e in cues if e["kind"] in side for phrase in e["phrases"]]
            for side in _SIDES
        }
        self._forms: dict[str, list[str]] = shipped("words").data["spellings"]

    def phrase(self, groups: Sequence[Any], rng: np.random.Generator) -> str:
        """One of a nest of lists, each list as likely as the others, with other forms of some words."""
        chosen: Any = groups
        while not isinstance(chosen, str):
            chosen = chosen[int(rng.integers(len(chosen)))]
        words = [self._formed(word, rng) for word in chosen.split()]
        return " ".join(words).replace(" ,", ",").replace(" / ", "/")

    def _formed(self, word: str, rng: np.random.Generator) -> str:
        forms = self._forms.get(word)
        return forms[int(rng.integers(len(forms)))] if forms and rng.random() < _FORM else word

    def swapped(self, sentence: str, evidence: Sequence[Evidence], rng: np.random.Generator) -> str:
        """The sentence with some mentions and cues swapped."""
        changes: dict[tuple[int, int], str] = {}
        for e in evidence:
            if rng.random() < _MENTION:
                tables = _STRUCTURES if e.entry in self._structures else _MENTIONS
                changes[e.start, e.end] = self.phrase(self._phrases[tables], rng)
            side = self._side.get(e.cue)
            if side is not None and e.cue_start >= 0 and rng.random() < _CUE:
                changes[e.cue_start, e.cue_end] = self.phrase(self._cues[side], rng)
        out, at = "", 0
        for (start, end), said in sorted(changes.items()):
            if start >= at:
                out += sentence[at:start] + said
                at = end
        return out + sentence[at:]


def _by_finding(files: Sequence[Any], tables: Sequence[str]) -> list[list[list[str]]]:
    """The phrases of these tables: for each finding (or none) its patterns, for each pattern what it stands for."""
    found: dict[str, list[list[str]]] = {}
    for entry in (entry for data in files for table in tables for entry in data.get(table, ())):
        key = str(entry.get("finding") or entry.get("findings") or "")
        found.setdefault(key, []).extend(expand(phrase) for phrase in entry["phrases"])
    return list(found.values())


def swapped_sentences(sentences: Sequence[str], n: int, *, seed: int, rules: RuleLabeler) -> Iterator[str]:
    """`n` sentences drawn from those in which the rules found something, with words swapped."""
    labels = rules.label_batch([ReportSpans(sentence) for sentence in sentences])
    found = [(s, one.evidence) for s, one in zip(sentences, labels, strict=True) if one.evidence]
    swaps = Swaps()
    for number in range(n):
        rng = rng_for(seed, "swapped", number)
        sentence, evidence = found[int(rng.integers(len(found)))]
        said = swaps.swapped(sentence, evidence, rng)
        yield said[:1].upper() + said[1:] if sentence[:1].isupper() else said
