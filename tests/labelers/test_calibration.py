"""Temperatures against scipy, and the file they are kept in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax

from hilum.core.errors import InputError, OutputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.labelers._calibration import (
    HIGHEST,
    LOWEST,
    Calibration,
    expected_calibration_error,
    fit_calibration,
    load_calibration,
    save_calibration,
)
from hilum.models.encoder_spec import chexbert_spec, visualchexbert_spec

DIGEST = "a" * 64


def drawn(spec, n=2000, *, sharp=3.0, seed=0):
    """Logits that are `sharp` times too sharp for the states that were drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, spec.outputs))
    states = np.zeros((n, len(spec.heads)), dtype=np.int8)
    for f, (head, columns) in enumerate(zip(spec.heads, spec.columns, strict=True)):
        z = logits[:, columns]
        if head.classes == 1:
            states[:, f] = np.where(rng.random(n) < expit(z[:, 0]), State.POSITIVE, State.NEGATIVE)
        else:
            noisy = z + rng.gumbel(size=z.shape)
            states[:, f] = np.array([int(s) for s in head.states])[noisy.argmax(axis=1)]
    return logits * sharp, states


@pytest.mark.parametrize("spec", [chexbert_spec(), visualchexbert_spec()], ids=["classes", "logits"])
def test_the_temperature_is_that_of_scipy_and_brings_back_what_was_too_sharp(spec):
    logits, states = drawn(spec)
    made = fit_calibration(logits, states, spec, weights=DIGEST)
    for f in (0, len(spec.heads) - 1):
        head, z = spec.heads[f], logits[:, spec.columns[f]]

        def loss(t, z=z, f=f, head=head):
            if head.classes == 1:
                return -np.log(expit(np.where(states[:, f] == State.POSITIVE, 1, -1) * z[:, 0] / t)).mean()
            return -log_softmax(z / t, axis=1)[np.arange(len(z)), states[:, f]].mean()

        best = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-9})
        assert made.temperatures[head.finding] == pytest.approx(best.x, abs=1e-4)
        assert made.temperatures[head.finding] == pytest.approx(3.0, abs=0.3)
        assert made.before[head.finding] == pytest.approx(loss(1.0))
        assert made.after[head.finding] == pytest.approx(best.fun)
    after = expected_calibration_error(logits, states, spec, made.temperatures_of(spec))
    before = expected_calibration_error(logits, states, spec, [1.0] * len(spec.heads))
    assert after.max() < 0.06 < before.min()


def test_cells_left_out_and_states_a_head_does_not_know_are_not_counted():
    spec = chexbert_spec()
    logits, states = drawn(spec, 300)
    none = len(spec.heads) - 1
    states[:100, 0] = LEFT_OUT
    states[:290, 1] = LEFT_OUT
    states[:40, none] = State.NEGATIVE  # a head of blank and positive
    made = fit_calibration(logits, states, spec, weights=DIGEST)
    assert [made.rows[spec.findings[f]] for f in (0, 1, 2, none)] == [200, 10, 300, 260]
    assert made.temperatures[spec.findings[1]] == 1.0
    assert spec.findings[1] not in made.after
    alone = fit_calibration(logits[100:], states[100:], spec, weights=DIGEST)
    assert made.temperatures[spec.findings[0]] == alone.temperatures[spec.findings[0]]


def test_a_head_that_is_always_right_or_knows_nothing_stays_within_bounds():
    spec = visualchexbert_spec()
    logits, states = drawn(spec, 200)
    states[:, 0] = np.where(logits[:, 0] > 0, State.POSITIVE, State.NEGATIVE)
    states[:, 1] = np.where(logits[:, 1] > 0, State.NEGATIVE, State.POSITIVE)
    values = list(fit_calibration(logits, states, spec, weights=DIGEST).temperatures.values())
    assert values[0] == pytest.approx(LOWEST, rel=1e-3)
    assert values[1] == pytest.approx(HIGHEST, rel=1e-3)


def test_logits_that_do_not_fit_the_heads_are_told():
    with pytest.raises(InputError, match=r"Logits \(3, 5\) and states \(3, 14\) do not fit 54 outputs"):
        fit_calibration(np.zeros((3, 5)), np.zeros((3, 14)), chexbert_spec(), weights=DIGEST)


def test_a_calibration_comes_back_from_its_file_and_its_bytes_are_the_same(tmp_path):
    spec = chexbert_spec()
    made = fit_calibration(*drawn(spec, 100), spec, weights=DIGEST)
    for name in ("a.json", "b.json"):
        save_calibration(tmp_path / name, made)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    read = load_calibration(tmp_path / "a.json", spec=spec, weights=DIGEST)
    assert read.temperatures_of(spec) == made.temperatures_of(spec)
    assert len(read.digest) == 64
    with pytest.raises(OutputError, match="cannot be written"):
        save_calibration(tmp_path / "none" / "a.json", made)


def test_a_file_that_is_no_calibration_of_these_weights_is_told(tmp_path: Path):
    spec, path = chexbert_spec(), tmp_path / "c.json"

    def refused(match: str, spec=spec) -> None:
        with pytest.raises(InputError, match=match):
            load_calibration(path, spec=spec, weights=DIGEST)

    refused("cannot be read: No such file")
    path.write_text("{")
    refused("is no JSON")
    path.write_text('{"temperatures": {}}')
    refused("'format' must be 'hilum calibration 1'")
    save_calibration(path, Calibration("b" * 64, dict.fromkeys(spec.findings, 1.5)))
    refused("was fitted for weights bbbbbbbbbbbb, and these are aaaaaaaaaaaa")
    for bad in (0, -1, "1", None, True, float("nan")):
        values = dict.fromkeys(spec.findings, 1.5) | {"Edema": bad}
        path.write_text(
            json.dumps({"format": "hilum calibration 1", "weights_sha256": DIGEST, "temperatures": values})
        )
        refused("one number above 0")
    save_calibration(path, Calibration(DIGEST, dict.fromkeys(spec.findings, 1.5)))
    refused("one number above 0", replace(spec, heads=spec.heads[:3]))
