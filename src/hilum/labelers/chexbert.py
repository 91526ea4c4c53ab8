"""CheXbert (Smit et al. 2020): positive, negative, uncertain or blank for 14 findings, from a checkpoint of yours."""

from __future__ import annotations

from typing import ClassVar

from hilum.labelers._neural import NeuralLabeler


class CheXbert(NeuralLabeler):
    """The labels of the public CheXbert program: the likeliest class of each head. It reads impressions."""

    name: ClassVar[str] = "chexbert"


build = CheXbert
