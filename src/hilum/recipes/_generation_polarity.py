"""The negation control: mentions in generated reports, and those that say the opposite of what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.core.records import Labels
from hilum.core.vocabulary import State
from hilum.recipes._generation_sets import FINDINGS, GenerationSet

Floats = npt.NDArray[np.float64]


class Polarity(NamedTuple):
    """Mentions of findings in generated reports whose true polarity is known, by image, float64 [N].

    A mention is one place where the labeler finds a finding affirmed (positive) or negated. What is true is what the
    reference says of it, positive or negative; where the reference does not mention it, the image truth. Where the
    reference is uncertain, or nothing is known, a mention is not counted. `wrong_positive`: affirmed, and not there;
    `wrong_negative`: negated, and there. `stated` are those that the reference itself affirms or negates.
    """

    positive: Floats
    negative: Floats
    wrong_positive: Floats
    wrong_negative: Floats
    stated: Floats
    wrong_stated: Floats


def polarity_of(labels: Sequence[Labels], test: GenerationSet) -> Polarity:
    """Mentions of each generated report, and those in the wrong polarity."""
    found = np.zeros((len(Polarity._fields), len(labels)))
    places = {name: place for place, name in enumerate(FINDINGS)}
    for row, (said, states_F, truth_F) in enumerate(zip(labels, test.states_NF, test.truth_NF, strict=True)):
        for mention in said.evidence:
            place = places.get(mention.finding)
            if place is None or mention.state not in (State.POSITIVE, State.NEGATIVE):
                continue
            stated = states_F[place] in (State.POSITIVE, State.NEGATIVE)
            if stated:
                is_there = states_F[place] == State.POSITIVE
            elif states_F[place] == State.BLANK and truth_F[place] >= 0:
                is_there = truth_F[place] == 1
            else:
                continue
            affirmed = mention.state == State.POSITIVE
            wrong = affirmed != is_there
            found[:, row] += (
                affirmed, not affirmed, affirmed and wrong, not affirmed and wrong, stated, stated and wrong,
            )  # fmt: skip
    return Polarity(*found)
