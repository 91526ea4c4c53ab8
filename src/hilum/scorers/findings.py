"""The clinically coherent reward (Liu et al. 2019, equation 1): a labeler reads both reports, agreement earns.

One part for each label: all findings of the labeler's vocabulary and its devices, No Finding left out. With the 14
of CheXpert these are the 12 diseases and Support Devices, and a pair earns 0 to 13.

The reward is nearly won by silence: most findings of most reports are absent, and absent agrees with absent. So
`scorers._rewards.simple_rewards` belongs beside every value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.records import RowStatus, Score
from hilum.labelers import Labeler, ReportSpans, get_labeler, labeler_options
from hilum.metrics.coherence import PAPER, Belief, coherence, coherence_limits
from hilum.scorers._base import References, Tick, check_pairs
from hilum.scorers._rewards import Floats, Text, check_given, check_rows, reward_scores
from hilum.text.sections import select_sections

States = npt.NDArray[np.int8]

WHOLE = "whole"
"""The texts are read as they are, from the first to the last character."""

_FAILED = -1
_KEPT = 100_000


class Findings:
    """The reward. A text that the labeler fails on has NaN; an empty text mentions nothing and is judged so."""

    name = "findings"
    version = "1"
    higher_is_better = True
    clinical = True
    plain = True

    def __init__(self, labeler: Labeler, belief: Belief, section: str) -> None:
        if section != WHOLE:
            select_sections("", section)
        self._labeler = labeler
        self._section = section
        self._known: dict[str, States] = {}
        findings = labeler.vocabulary.findings
        self._places = [place for place, finding in enumerate(findings) if finding.role != "none"]
        self.belief = belief
        self.part_names = tuple(findings[place].name for place in self._places)
        table = belief.table()
        self.lowest = float(table.min()) * len(self.part_names)
        self.highest = float(table.max()) * len(self.part_names)
        self.preset = (
            f"{labeler.name}, p(+): positive {belief.positive:g}, negative {belief.negative:g}, absent "
            f"{belief.absent:g}, uncertain {belief.uncertain:g}, {section}"
        )
        self.stamp = {**labeler.stamp, "section": section, "p": self.preset}

    def rewards(self, references: Sequence[str], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns over all labels, float64 [N]."""
        return np.asarray(self.parts(references, candidates).sum(axis=1))

    def parts(self, references: Sequence[str], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns for each label, float64 [N, T]; `part_names` are the labels."""
        check_given(references, candidates)
        return self.of_states(self._known_states(references), self.states(candidates))

    def limits(self, references: Sequence[str]) -> tuple[Floats, Floats]:
        """The least and the most that any report could earn against each reference, two float64 [N]."""
        states_NT = self._known_states(references)
        least_NT, most_NT = coherence_limits(np.maximum(states_NT, 0), belief=self.belief)
        failed_NT = states_NT == _FAILED
        least_N, most_N = (np.where(failed_NT, np.nan, ends).sum(axis=1) for ends in (least_NT, most_NT))
        return least_N, most_N

    def prepared(self, references: Sequence[str]) -> PreparedFindings:
        """The references, labeled once. Raises InputError when there is none."""
        check_given(references, references)
        return PreparedFindings(self, self.states(references))

    def of_states(self, truth_NT: States, said_NT: States) -> Floats:
        """What pairs of states earn, float64 [N, T]; NaN in all labels of a pair with a text without labels."""
        earned_NT = coherence(np.maximum(truth_NT, 0), np.maximum(said_NT, 0), belief=self.belief)
        earned_NT[(truth_NT == _FAILED) | (said_NT == _FAILED)] = np.nan
        return earned_NT

    def states(self, texts: Sequence[Text]) -> States:
        """States of the labels of each text, int8 [N, T]; -1 where the labeler failed. Equal texts are read once.

        Raises InputError for a text that is cut into tokens.
        """
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError(
                    f"Report {place} (counted from 0) is a list of tokens, and a labeler reads text: full stops say "
                    "where a negation ends. Next step: join the tokens, with their full stops and commas."
                )
        places: dict[str, int] = {}
        which = [places.setdefault(str(text), len(places)) for text in texts]
        labels = self._labeler.label_batch([self._spans(text) for text in places])
        states_TF = np.frombuffer(b"".join(bytes(one.states) for one in labels), dtype=np.int8)
        states_TT = states_TF.reshape(len(places), -1)[:, self._places]
        states_TT[[one.status is RowStatus.FAILED for one in labels]] = _FAILED
        return np.asarray(states_TT[which])

    def _spans(self, text: str) -> ReportSpans:
        if self._section == WHOLE:
            return ReportSpans(text)
        sections = select_sections(text, self._section, headless_as=self._section)
        return ReportSpans(text, sections) if sections else ReportSpans("")

    def _known_states(self, references: Sequence[str]) -> States:
        """States of references; the last 100,000 or so are kept, since a training meets them again."""
        new = [text for text in dict.fromkeys(references) if text not in self._known]
        found = dict(zip(new, self.states(new), strict=True)) if new else {}
        known = self._known
        rows = np.array([known[text] if text in known else found[text] for text in references], dtype=np.int8)
        if len(known) + len(found) > _KEPT:
            self._known = known = {}
        known.update(found)
        return rows

    def score(
        self,
        references: References,
        candidates: Sequence[str],
        *,
        ids: Sequence[str] | None = None,  # noqa: ARG002  (nothing is looked up)
        per_sample: bool = False,
        progress: Tick | None = None,
    ) -> list[Score]:
        """Two scores: the mean reward, and of what could be earned (`scorers._rewards.reward_scores`)."""
        check_pairs(references, candidates)
        scores = reward_scores(self, references, candidates, per_sample=per_sample)
        if progress is not None:
            progress(len(candidates), len(candidates))
        return scores


class PreparedFindings:
    """References by row, labeled once; `states_RT` are their labels."""

    def __init__(self, reward: Findings, states_RT: States) -> None:
        self._reward = reward
        self.states_RT = states_RT

    def __len__(self) -> int:
        return len(self.states_RT)

    def rewards(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """What each candidate earns against the reference of its row, float64 [N]."""
        return np.asarray(self.parts(rows, candidates).sum(axis=1))

    def parts(self, rows: Sequence[int], candidates: Sequence[Text]) -> Floats:
        """The same for each label, float64 [N, T]. Raises InputError for a row that is not there."""
        check_rows(rows, candidates, len(self))
        return self._reward.of_states(self.states_RT[np.asarray(rows)], self._reward.states(candidates))


def build(
    *,
    labeler: str = "rules",
    vocabulary: str | None = None,
    convention: str | None = None,
    weights: str | None = None,
    section: str = WHOLE,
    belief: Belief = PAPER,
) -> Findings:
    """The reward; `belief` is p(+|state), the rest as in `hilum label`, but that texts are read whole.

    Whole, because a generated report has no headings; and where headings decided what is read, a generator could
    learn to write its findings under one that is not.
    """
    given = {"vocabulary": vocabulary, "convention": convention, "weights": weights}
    return Findings(get_labeler(labeler, **labeler_options(labeler, given)), belief, section)
