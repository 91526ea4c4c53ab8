"""Temperatures that make probabilities honest: fitted on labeled reports, kept in a JSON file.

Temperature scaling (Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2): the logits of a head
are divided by one number, which changes no label. It is fitted by the least mean negative log-likelihood.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, OutputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.labelers._decide import head_probabilities
from hilum.metrics.reliability import HIGHEST, LOWEST, least_temperature
from hilum.models.encoder_spec import EncoderSpec, Head

__all__ = [
    "FORMAT",
    "HIGHEST",
    "LEAST_ROWS",
    "LOWEST",
    "Calibration",
    "expected_calibration_error",
    "fit_calibration",
    "load_calibration",
    "save_calibration",
]

Floats = npt.NDArray[np.float64]

FORMAT = "hilum calibration 1"
LEAST_ROWS = 20
"""Rows below which a head keeps the temperature 1."""


@dataclass(frozen=True)
class Calibration:
    """One temperature per finding, for the weights of one digest.

    `before` and `after` are mean negative log-likelihoods on the `rows` that each finding was fitted on.
    """

    weights: str
    temperatures: Mapping[str, float]
    rows: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""

    def temperatures_of(self, spec: EncoderSpec) -> tuple[float, ...]:
        """One per head of `spec`, in order."""
        return tuple(self.temperatures[name] for name in spec.findings)


def fit_calibration(
    logits_NC: npt.ArrayLike, states_NF: npt.ArrayLike, spec: EncoderSpec, *, weights: str
) -> Calibration:
    """The temperatures under which `states_NF` are likeliest.

    `logits_NC` are those of N reports, the heads' in order; `states_NF` their `State` codes in the order of
    `spec.findings`, LEFT_OUT where there is none. States that a head does not know are left out too. A head with
    fewer than LEAST_ROWS rows keeps 1. `weights` is the digest of the encoder's folder.
    Raises InputError when the shapes do not fit the spec.
    """
    given_NC, codes_NF = np.asarray(logits_NC, dtype=np.float64), np.asarray(states_NF)
    fits = given_NC.ndim == codes_NF.ndim == 2 and len(given_NC) == len(codes_NF)
    if not fits or given_NC.shape[1] != spec.outputs or codes_NF.shape[1] != len(spec.heads):
        raise InputError(
            f"Logits {given_NC.shape} and states {codes_NF.shape} do not fit {spec.outputs} outputs and "
            f"{len(spec.heads)} heads of the same reports."
        )
    temperatures: dict[str, float] = {}
    rows: dict[str, int] = {}
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for f, (head, columns) in enumerate(zip(spec.heads, spec.columns, strict=True)):
        kept = np.isin(codes_NF[:, f], _known(head)) & (codes_NF[:, f] != LEFT_OUT)
        loss = _loss(given_NC[kept][:, columns], codes_NF[kept, f].astype(np.intp), head)
        enough = int(kept.sum()) >= LEAST_ROWS
        best = least_temperature(loss) if enough else 1.0
        name = head.finding
        temperatures[name], rows[name] = best, int(kept.sum())
        if enough:
            before[name], after[name] = loss(1.0), loss(best)
    return Calibration(weights, temperatures, rows, before, after)


def _known(head: Head) -> list[int]:
    return [int(s) for s in ((State.POSITIVE, State.NEGATIVE) if head.classes == 1 else head.states)]


def _loss(logits_NK: Floats, codes_N: npt.NDArray[np.intp], head: Head) -> Callable[[float], float]:
    """Mean negative log-likelihood of the codes as a function of the temperature."""
    if head.classes == 1:
        signs = np.where(codes_N == State.POSITIVE, 1.0, -1.0)
        margins = signs * logits_NK[:, 0]
        return lambda t: float(np.logaddexp(0.0, -margins / t).mean())
    classes = np.searchsorted([int(s) for s in head.states], codes_N)
    own = logits_NK[np.arange(len(classes)), classes]
    return lambda t: float((np.logaddexp.reduce(logits_NK / t, axis=1) - own / t).mean())


def expected_calibration_error(
    logits_NC: Floats,
    states_NF: npt.ArrayLike,
    spec: EncoderSpec,
    temperatures: Sequence[float],
    bins: int = 10,
) -> Floats:
    """Mean distance of confidence and accuracy over bins of equal width, float64 [F]; NaN without rows.

    Source: Guo et al. 2017, equation 3. Confidence is the probability of the most probable state.
    """
    values_NFS = head_probabilities(np.asarray(logits_NC, dtype=np.float64), spec, np.array(temperatures))
    codes_NF = np.asarray(states_NF)
    errors = np.full(len(spec.heads), math.nan)
    for f, head in enumerate(spec.heads):
        kept = np.isin(codes_NF[:, f], _known(head))
        if not kept.any():
            continue
        sure = values_NFS[kept, f].max(axis=1)
        right = values_NFS[kept, f].argmax(axis=1) == codes_NF[kept, f]
        bin_N = np.minimum((sure * bins).astype(np.intp), bins - 1)
        gaps = np.bincount(bin_N, weights=right - sure, minlength=bins)
        errors[f] = np.abs(gaps).sum() / kept.sum()
    return errors


def save_calibration(path: str | Path, calibration: Calibration) -> None:
    """Write a calibration as JSON; equal calibrations give equal bytes. Raises OutputError."""
    fields = {
        "format": FORMAT,
        "weights_sha256": calibration.weights,
        "temperatures": dict(calibration.temperatures),
        "rows": dict(calibration.rows),
        "negative_log_likelihood": {
            name: [calibration.before[name], calibration.after[name]] for name in calibration.before
        },
    }
    try:
        Path(path).write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Next step: name a file in a folder that exists."
        ) from error


def load_calibration(path: str | Path, *, spec: EncoderSpec, weights: str) -> Calibration:
    """The calibration in a JSON file, checked against the heads and the digest of the weights.

    Raises InputError, with the file and what is wrong with it.
    """
    try:
        data = Path(path).read_bytes()
        fields: Any = json.loads(data)
    except OSError as error:
        raise InputError(f"--calibration {path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"--calibration {path} is no JSON: {str(error)[:120]}.") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise InputError(
            f"--calibration {path} is no calibration: its field 'format' must be {FORMAT!r}. Next step: make one "
            "with hilum calibrate."
        )
    if fields.get("weights_sha256") != weights:
        raise InputError(
            f"--calibration {path} was fitted for weights {str(fields.get('weights_sha256'))[:12]}, and these are "
            f"{weights[:12]}. Next step: fit one for these weights, or leave --calibration out."
        )
    given = fields.get("temperatures")
    temperatures: dict[str, Any] = given if isinstance(given, dict) else {}
    whole = set(temperatures) == set(spec.findings)
    if not whole or not all(_is_temperature(value) for value in temperatures.values()):
        raise InputError(
            f"--calibration {path}: 'temperatures' must have one number above 0 for each of "
            f"{', '.join(spec.findings)}."
        )
    values = {name: float(temperatures[name]) for name in spec.findings}
    return Calibration(weights, values, digest=hashlib.sha256(data).hexdigest())


def _is_temperature(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(float(value)) and float(value) > 0  # type: ignore[arg-type]
