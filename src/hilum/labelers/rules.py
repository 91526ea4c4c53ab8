"""The rule labeler: mentions from the lexicon, states by scope, one precedence, evidence for every label.

Of the kind of NegBio (Peng et al. 2018) and the CheXpert labeler (Irvin et al. 2019, section 3), without a
parser. What a label means is written in docs/label-definitions.md; every word it knows is in lexicon/*.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from hilum.core.records import Evidence, Labels, RowStatus, Section
from hilum.core.version import VERSION
from hilum.core.vocabulary import PRECEDENCE, State
from hilum.labelers._base import ReportSpans
from hilum.labelers._lexicon import Lexicon, load_lexicon
from hilum.text.normalize import flatten
from hilum.text.scope import Mention, ScopeReader

_RANK = tuple(
    len(PRECEDENCE) - 1 - PRECEDENCE.index(state) for state in State
)  # by state; strongest is highest
_HEDGED, _POSITIVE = _RANK[State.UNCERTAIN], _RANK[State.POSITIVE]
_STATE = tuple(reversed(PRECEDENCE))
_Where = tuple[int, int, str]
_evidence = tuple.__new__  # what Evidence(...) does, without its detour


class RuleLabeler:
    """Labels reports by rules. Time grows linearly with the text; nothing is read or drawn at random."""

    name = "rules"

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.vocabulary = lexicon.vocabulary
        self.stamp: Mapping[str, str] = {
            "labeler": self.name,
            "version": VERSION,
            "vocabulary": lexicon.vocabulary.name,
            "convention": lexicon.convention,
            "lexicon_sha256": lexicon.digest,
        }
        self._reader = ScopeReader(lexicon.tree, lexicon.or_symbols)
        self._names = (*self.vocabulary.names, "")
        none = self.vocabulary.no_finding
        self._no_finding = -1 if none is None else self.vocabulary.index(none)
        apart = {i for i, f in enumerate(self.vocabulary.findings) if f.role == "device"} | {self._no_finding}
        self._abnormal = tuple(i for i in range(len(self.vocabulary) + 1) if i not in apart)

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        """One `Labels` per report, in order."""
        return [self._label(report) for report in reports]

    def yes_or_no(self, labels: Labels) -> tuple[int, ...]:
        """1 or 0 per finding: positive is 1, uncertain by the policy in the lexicon ([uncertain]), else 0."""
        answers = [int(state is State.POSITIVE) for state in labels.states]
        for e in labels.evidence:
            if e.state is State.UNCERTAIN and e.cue in self.lexicon.yes_cues.get(e.finding, ()):
                answers[self.vocabulary.index(e.finding)] = 1
        return tuple(answers)

    def _label(self, report: ReportSpans) -> Labels:
        ranks = [0] * (len(self.vocabulary) + 1)
        evidence: list[Evidence] = []
        text = report.text
        sections = report.sections or (Section("body", 0, len(text)),)
        empty = True
        for section in sections:
            body = text[section.start : section.end]
            if body and not body.isspace():
                empty = False
                self._read(body, section, ranks, evidence)
        if empty:
            return Labels(self.vocabulary, (State.BLANK,) * len(self.vocabulary), (), RowStatus.EMPTY)
        self._settle_no_finding(ranks)
        states = tuple([_STATE[r] for r in ranks[:-1]])
        return Labels(self.vocabulary, states, tuple(evidence))

    def _read(self, body: str, section: Section, ranks: list[int], evidence: list[Evidence]) -> None:
        parts, symbols = self.lexicon.symbols.encode(flatten(body))
        sentences = self._reader.read(symbols)
        if not sentences:
            return
        starts = list(accumulate(map(len, parts), initial=section.start))
        for sentence in sentences:
            where = (starts[sentence.first], starts[sentence.last], section.name)
            for mention in sentence.mentions:
                if mention.rule.targets:
                    self._count(mention, where, starts, ranks, evidence)

    def _count(
        self, mention: Mention, where: _Where, starts: list[int], ranks: list[int], evidence: list[Evidence]
    ) -> None:
        rule, cue, read = mention.rule, mention.cue, mention.state
        words = (starts[mention.first], starts[mention.last], rule.id)
        because = ("", -1, -1) if cue is None else (cue.rule.id, starts[cue.first], starts[cue.last])
        for finding, states, unspecified in rule.targets:
            state = states[read] if read or cue is not None else unspecified
            if state:
                rank = _RANK[state]
                if rank > ranks[finding]:  # noqa: PLR1730  (max() is slower here)
                    ranks[finding] = rank
                evidence.append(_evidence(Evidence, (self._names[finding], state, *words, *because, *where)))

    def _settle_no_finding(self, ranks: list[int]) -> None:
        """No Finding is positive exactly when nothing abnormal is affirmed or hedged, devices apart."""
        if self._no_finding < 0:
            return
        ranks[self._no_finding] = _POSITIVE
        for i in self._abnormal:
            if ranks[i] >= _HEDGED:
                ranks[self._no_finding] = 0
                return


def build(*, vocabulary: str = "chexpert14", convention: str = "house") -> RuleLabeler:
    """The rule labeler of a vocabulary (shipped name or TOML file) under a convention."""
    return RuleLabeler(load_lexicon(vocabulary, convention=convention))
