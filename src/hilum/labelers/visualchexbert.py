"""VisualCheXbert (Jain et al. 2021): what the image shows, guessed from the impression; always 1 or 0.

A probability becomes 1 or 0 by thresholds or by logistic regression over all of them (section 4.6 of the paper),
whichever the weights' folder has.
"""

from __future__ import annotations

from typing import ClassVar

from hilum.labelers._neural import NeuralLabeler


class VisualCheXbert(NeuralLabeler):
    """Labels of the image, not of the words: positive or negative for each finding, never blank or uncertain."""

    name: ClassVar[str] = "visualchexbert"
    note: ClassVar[str] = (
        "these are labels of the image as a model guesses it from the words: always 1 or 0, never blank or uncertain"
    )


build = VisualCheXbert
