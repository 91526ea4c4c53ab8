"""Chest radiograph reports that were never a patient's: a probabilistic grammar that knows what it said.

The grammar stands in `_speech/phrases/*.toml` and was written for hilum; no sentence is taken from a corpus.
States follow docs/label-definitions.md by construction: every sentence carries its claims, and the strongest claim
of a finding is its state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import strongest
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, SHIPPED, State, Vocabulary
from hilum.datasets._speech.context import in_context
from hilum.datasets._speech.grammar import Grammar, grammar
from hilum.datasets._speech.layout import STYLES, lay_out, paragraph
from hilum.datasets._speech.plan import findings as findings_of
from hilum.datasets._speech.plan import impression as impression_of
from hilum.datasets._speech.speaker import Said, Sentence, Speaker
from hilum.datasets._speech.templates import Draws
from hilum.labelers import Labeler, ReportSpans
from hilum.text.sections import select_sections

_STYLE_WEIGHTS = (0.30, 0.18, 0.18, 0.26, 0.08)
_MASKS = {"openi": "openi", "mimic": "mimic", "plain": "openi", "chexpert": "brackets", "terse": "openi"}


class Claim(NamedTuple):
    """What one sentence says of one finding; `cue` is the id of the hedge (lexicon/cues.toml), or ""."""

    finding: str
    state: State
    cue: str


@dataclass(frozen=True)
class GeneratedReport:
    """A generated report: id, text, the state of each finding of the vocabulary in order, and all claims."""

    id: str
    text: str
    states: tuple[State, ...]
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class ReportOptions:
    """How reports come out.

    `rates`: concept of the grammar -> how often it is there (0 to 1; a report's severity scales it by 0 to 2.3).
    `styles`: style -> weight. `noise`: 0 for none, 1 as shipped, of slips and removed words. `context`: share of
    reports that stand between sentences which claim nothing, up to about `context_words` words of them.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    styles: Mapping[str, float] = field(
        default_factory=lambda: dict(zip(STYLES, _STYLE_WEIGHTS, strict=True))
    )
    noise: float = 1.0
    context: float = 0.0
    context_words: int = 120

    def __post_init__(self) -> None:
        known = grammar().concepts
        for kind, got, allowed in (("concept", self.rates, known), ("style", self.styles, STYLES)):
            for name, value in got.items():
                if name not in allowed:
                    raise UnknownNameError(kind, name, allowed)
                if value < 0 or (kind == "concept" and value > 1):
                    raise InputError(f"The rate of {name!r} is {value}; allowed: 0 to 1.")
        if not any(self.styles.values()):
            raise InputError(f"No style has a weight; give one of {', '.join(STYLES)} a weight above 0.")
        if not 0 <= self.context <= 1 or self.context_words < 1:
            raise InputError(
                f"context is {self.context} of {self.context_words} words; allowed: a share from 0 to 1, and 1 word "
                "or more."
            )
        if self.noise < 0:
            raise InputError(f"noise is {self.noise}; allowed: 0 or more.")


def generate_reports(
    n: int, *, seed: int, vocabulary: Vocabulary = CHEXPERT14, options: ReportOptions | None = None
) -> Iterator[GeneratedReport]:
    """`n` reports, one after the other; report i depends on seed, options and i alone.

    Both vocabularies get the same texts from one seed. Raises InputError for a negative `n` and UnknownNameError
    for a vocabulary that the grammar does not know.
    """
    if n < 0:
        raise InputError(f"{n} reports were asked for; allowed: 0 or more.")
    if SHIPPED.get(vocabulary.name) != vocabulary:
        raise UnknownNameError("vocabulary of the report generator", vocabulary.name, SHIPPED)
    how = options or ReportOptions()
    return (_report(i, seed, vocabulary, how) for i in range(n))


def _report(number: int, seed: int, vocabulary: Vocabulary, options: ReportOptions) -> GeneratedReport:
    known = grammar()
    draws = Draws(rng_for(seed, "generated report", number))
    style = _style(options.styles, draws)
    speaker = Speaker(known, draws, options.rates)
    findings, impression = _contents(style, speaker, draws)
    mask = _MASKS[style]
    body = paragraph(findings, known, draws, mask=mask, noise=options.noise)
    close = paragraph(impression, known, draws, mask=mask, noise=options.noise)
    if options.context and draws.chance(options.context):
        around = partial(in_context, draws=draws, most_words=options.context_words)
        body, close = (around(body), close) if body else (body, around(close))
    text = lay_out(style, body, close, known, draws)
    if draws.chance(0.05 * options.noise):
        text = text.upper() if draws.chance(0.7) else text.lower()
    said = [s for sentence in (*findings, *impression) for s in sentence.said]
    claims = claims_of(said, vocabulary, known)
    return GeneratedReport(f"G{number:06d}", text, states_of(claims, vocabulary), claims)


def _style(weights: Mapping[str, float], draws: Draws) -> str:
    place = draws.number() * sum(weights.values())
    for style, weight in weights.items():
        place -= weight
        if place < 0:
            return style
    return style


def _contents(style: str, speaker: Speaker, draws: Draws) -> tuple[list[Sentence], list[Sentence]]:
    """Findings and impression of one report, either of them perhaps empty."""
    findings, impression = findings_of(speaker), impression_of(speaker)
    if style == "terse":
        chosen = draws.shuffled([*findings, *impression])[: 1 + int(draws.number() * 3)]
        return [], chosen
    if style == "chexpert":
        if draws.chance(0.3):
            return findings, impression
        return [], impression if draws.chance(0.45) else draws.shuffled(findings)[:9] + impression[:1]
    if draws.chance(0.1):
        return [], findings
    return findings, impression if draws.chance(0.92) else []


def claims_of(said: Iterable[Said], vocabulary: Vocabulary, known: Grammar) -> tuple[Claim, ...]:
    """What sentences say, as claims in the words of a vocabulary, each once."""
    return tuple(dict.fromkeys(_claims(said, vocabulary, known)))


def _claims(said: Iterable[Said], vocabulary: Vocabulary, known: Grammar) -> Iterator[Claim]:
    """Claims in the words of a vocabulary; finding "" is an abnormality outside it."""
    for concept_id, state, cue in said:
        concept = known.concepts[concept_id]
        speaks = concept.speaks.get(vocabulary.name)
        if speaks is None:
            if concept.role == "finding":
                yield Claim("", state, cue)
            continue
        for finding in speaks.findings:
            yield Claim(finding, speaks.states.get(state, state), cue)


def states_of(claims: Sequence[Claim], vocabulary: Vocabulary) -> tuple[State, ...]:
    """The states that claims add up to: the strongest of each finding, and No Finding when nothing is abnormal."""
    by_finding: dict[str, State] = {}
    for claim in claims:
        by_finding[claim.finding] = strongest(by_finding.get(claim.finding, State.BLANK), claim.state)
    roles = {f.name: f.role for f in vocabulary.findings}
    abnormal = any(
        state in (State.POSITIVE, State.UNCERTAIN) and roles.get(name) != "device"
        for name, state in by_finding.items()
    )
    none = State.BLANK if abnormal else State.POSITIVE
    return tuple(
        none if f.role == "none" else by_finding.get(f.name, State.BLANK) for f in vocabulary.findings
    )


@dataclass(frozen=True)
class Agreement:
    """How far a labeler agrees with what the generator said: cells that agree, all cells, and those that do not.

    `disagreements`: (report id, finding, state by construction, state by the labeler).
    """

    agreeing: int
    cells: int
    disagreements: tuple[tuple[str, str, State, State], ...]

    @property
    def share(self) -> float:
        """Share of cells that agree; NaN for no cell."""
        return self.agreeing / self.cells if self.cells else float("nan")


def labeled_text(report: GeneratedReport) -> ReportSpans:
    """The report with the sections that are labeled: findings, impression, or the whole where it has no heading."""
    return ReportSpans(report.text, select_sections(report.text, "both"))


def agreement(reports: Sequence[GeneratedReport], labeler: Labeler) -> Agreement:
    """The labeler's states against those by construction, for reports made with the labeler's vocabulary."""
    labels = labeler.label_batch([labeled_text(r) for r in reports])
    apart = [
        (report.id, name, said, got)
        for report, label in zip(reports, labels, strict=True)
        for name, said, got in zip(labeler.vocabulary.names, report.states, label.states, strict=True)
        if said is not got
    ]
    cells = len(reports) * len(labeler.vocabulary)
    return Agreement(cells - len(apart), cells, tuple(apart))
