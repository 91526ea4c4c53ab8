"""How good labels, scores and generated reports are: arrays or token lists in, numbers out.

Label and ranking measures can be imported from here; `overlap`, `clinical` and `entities` are modules of
their own (`from hilum.metrics import overlap`).
"""

from hilum.metrics.labels import (
    Confusion,
    accuracy,
    cohen_kappa,
    compared,
    confusion,
    example_f1,
    extraction_f1,
    f1,
    kappa_states,
    macro,
    micro,
    precision,
    prevalence,
    recall,
    specificity,
    support,
    swapped,
    undefined,
    weighted_f1,
    weighted_state_f1,
)
from hilum.metrics.ranking import (
    Curve,
    Threshold,
    auroc,
    average_precision,
    precision_recall,
    roc,
    youden_threshold,
)

__all__ = [
    "Confusion",
    "Curve",
    "Threshold",
    "accuracy",
    "auroc",
    "average_precision",
    "cohen_kappa",
    "compared",
    "confusion",
    "example_f1",
    "extraction_f1",
    "f1",
    "kappa_states",
    "macro",
    "micro",
    "precision",
    "precision_recall",
    "prevalence",
    "recall",
    "roc",
    "specificity",
    "support",
    "swapped",
    "undefined",
    "weighted_f1",
    "weighted_state_f1",
    "youden_threshold",
]
