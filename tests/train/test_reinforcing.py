"""REINFORCE against a policy of which every report is known: 105 reports of two words, two sentences and two stops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from hilum.models.classifier_spec import densenet_architecture
from hilum.models.decoding import Decoding
from hilum.models.generating import Visual
from hilum.models.generator_spec import END, PAD, SPECIALS, GeneratorSpec
from hilum.models.report_generator import ReportGenerator
from hilum.train._generator_rewards import Judged
from hilum.train.generating import Learner
from hilum.train.moving_average import MovingAverage
from hilum.train.reinforcing import ReinforcingTask, Weights, surrogate

HOW = Decoding(way="sample")
SPEC = GeneratorSpec(
    (*SPECIALS, "edema", "no"), width=3, hidden=4, attention=3, most_sentences=2, most_words=2, size_px=32, channels=1,
    normalisation="minus-one-to-one", architecture=densenet_architecture(blocks=(1,), growth=2, first=2, bottleneck=1),
)  # fmt: skip
Report = tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]
pytestmark = pytest.mark.usefixtures("one_thread")


def every_report() -> list[Report]:
    """All reports that can be drawn: words and stops. A sentence of two words is full and has no end."""
    words = [3, 4]
    sentences = [(END,), *((w, END) for w in words), *itertools.product(words, words)]
    one = [((s,), (1,)) for s in sentences]
    two = [(pair, (0, last)) for pair in itertools.product(sentences, sentences) for last in (0, 1)]
    return [*one, *two]


REPORTS = every_report()


def tensors(reports: Sequence[Report]) -> tuple[torch.Tensor, torch.Tensor]:
    words = torch.full((len(reports), 2, 2), PAD)
    stops = torch.zeros(len(reports), 2, dtype=torch.int64)
    for row, (sentences, signals) in enumerate(reports):
        for place, sentence in enumerate(sentences):
            words[row, place, : len(sentence)] = torch.tensor(sentence)
            stops[row, place] = signals[place]
    return words, stops


def policy(seed: int = 0) -> tuple[ReportGenerator, Visual]:
    """A generator with large random weights, so that no report is nearly certain or nearly alike, and one image."""
    torch.manual_seed(seed)
    model = ReportGenerator(SPEC).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    seen_KD = torch.randn(4, 3, dtype=torch.float64)
    return model, Visual(seen_KD[None], seen_KD.mean(0)[None])


def decoders(model: ReportGenerator) -> list[torch.nn.Parameter]:
    return [p for name, p in model.named_parameters() if not name.startswith("encoder")]


def log_probabilities(model: ReportGenerator, visual: Visual, how: Decoding = HOW) -> torch.Tensor:
    words, stops = tensors(REPORTS)
    seen = visual.take(torch.zeros(len(REPORTS), dtype=torch.int64))
    return model.log_probabilities(seen, words, stops_BS=stops, how=how).total_B


def rewards(seed: int = 3, parts: int = 3) -> torch.Tensor:
    """A reward of several parts for every report; the stop at the end of two sentences counts too."""
    return torch.rand(len(REPORTS), parts, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradient(model: ReportGenerator, value: torch.Tensor) -> torch.Tensor:
    found = torch.autograd.grad(value, decoders(model), allow_unused=True)
    each = [torch.zeros_like(p) if g is None else g for g, p in zip(found, decoders(model), strict=True)]
    return torch.cat([g.flatten() for g in each])


def expected_surrogate(model: ReportGenerator, visual: Visual, advantage_Z: torch.Tensor) -> torch.Tensor:
    """The gradient that a step has on average over all reports."""
    log_Z = log_probabilities(model, visual)
    return gradient(model, (log_Z.detach().exp() * surrogate(log_Z, advantage_Z)).sum())


def exact(
    model: ReportGenerator, visual: Visual, reward_Z: torch.Tensor, how: Decoding = HOW
) -> torch.Tensor:
    """The gradient of minus the expected reward."""
    return gradient(model, -(log_probabilities(model, visual, how).exp() * reward_Z).sum())


def test_the_reports_are_all_there_are() -> None:
    model, visual = policy()
    assert len(REPORTS) == 105
    assert float(log_probabilities(model, visual).detach().double().exp().sum()) == pytest.approx(
        1.0, abs=1e-6
    )


def test_the_expected_gradient_is_that_of_the_expected_reward() -> None:
    model, visual = policy()
    reward_Z = rewards().sum(1)
    found = expected_surrogate(model, visual, reward_Z)
    torch.testing.assert_close(found, exact(model, visual, reward_Z), rtol=1e-6, atol=1e-9)
    assert found.abs().max() > 1e-3


def test_the_expected_gradient_is_that_of_finite_differences() -> None:
    model, visual = policy(1)
    reward_Z = rewards().sum(1)
    found = expected_surrogate(model, visual, reward_Z)
    small, place, checked = 1e-3, 0, 0
    for parameter in decoders(model):
        flat = parameter.detach().view(-1)
        for i in range(0, len(flat), max(1, len(flat) // 3)):
            values = []
            for sign in (1, -1):
                flat[i] += sign * small
                with torch.no_grad():
                    values.append(-(log_probabilities(model, visual).exp() * reward_Z).sum())
                flat[i] -= sign * small
            assert float(found[place + i]) == pytest.approx(
                float(values[0] - values[1]) / (2 * small), abs=2e-4
            )
            checked += 1
        place += len(flat)
    assert checked > 30


def test_words_and_stops_both_count() -> None:
    """Without the log-probability of the stops the gradient is another one."""
    model, visual = policy()
    reward_Z = rewards().sum(1)
    words, stops = tensors(REPORTS)
    seen = visual.take(torch.zeros(len(REPORTS), dtype=torch.int64))
    found = model.log_probabilities(seen, words, stops_BS=stops, how=HOW)
    weight_Z = found.total_B.detach().exp()
    words_alone = gradient(model, (weight_Z * surrogate(found.log_words_BSW.sum((1, 2)), reward_Z)).sum())
    assert (words_alone - exact(model, visual, reward_Z)).abs().max() > 1e-3


@pytest.mark.parametrize("baseline", [-5.0, 0.3, 12.0])
def test_a_baseline_that_does_not_depend_on_the_sample_changes_nothing(baseline: float) -> None:
    model, visual = policy()
    reward_Z = rewards().sum(1)
    found = expected_surrogate(model, visual, reward_Z - baseline)
    torch.testing.assert_close(found, exact(model, visual, reward_Z), rtol=1e-5, atol=1e-5)


def test_the_moving_average_of_each_label_is_unbiased_and_so_is_the_greedy_report() -> None:
    model, visual = policy()
    parts_ZT = rewards()
    average = MovingAverage(3, decay=0.9)
    average.start(rewards(9)[:5])
    average.update(rewards(10)[:7])
    found = expected_surrogate(model, visual, average.advantages(parts_ZT).sum(1))
    wanted = exact(model, visual, parts_ZT.sum(1))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)

    alike_Z = rewards(4, 1)[:, 0]
    greedy = model.decode(visual, how=Decoding())
    written = [tuple(w for w in s if w != PAD) for s in greedy.words_BSW[0].tolist()]
    same = [i for i, (s, _) in enumerate(REPORTS) if list(s) == [w for w in written if w]]
    found = expected_surrogate(model, visual, alike_Z - alike_Z[same[0]])
    torch.testing.assert_close(found, exact(model, visual, alike_Z), rtol=1e-5, atol=1e-6)


def test_an_average_that_is_moved_first_is_biased() -> None:
    """With the sample in its own baseline, the gradient shrinks by the decay."""
    model, visual = policy()
    reward_Z = rewards().sum(1)
    decay, old = 0.8, 1.1
    found = expected_surrogate(model, visual, reward_Z - (decay * old + (1 - decay) * reward_Z))
    wanted = exact(model, visual, reward_Z)
    torch.testing.assert_close(found, decay * wanted, rtol=1e-5, atol=1e-6)
    assert (found - wanted).abs().max() > 1e-3


class ToyJudges:
    """Rewards of written reports: shorter is better, and the words are two labels."""

    part_names = ("edema", "no")

    def overlap(self, rows: Sequence[int], candidates: Sequence[str]) -> Any:
        assert len(rows) == len(candidates)
        return np.array([1.0 / (1 + len(text.split())) for text in candidates])

    def findings(self, rows: Sequence[int], candidates: Sequence[str]) -> Judged:
        assert len(rows) == len(candidates)
        parts = np.array([[float(word in text) for word in self.part_names] for text in candidates])
        return Judged(parts, None, None, 0)


def toy_task(shown: torch.Tensor, weights: Weights, how: Decoding = HOW) -> ReinforcingTask:
    """The task with one image for all rows; what is shown of it is its map."""
    taught = SimpleNamespace(
        shown=SimpleNamespace(take=lambda rows: shown.expand(len(rows), -1, -1)),
        train=SimpleNamespace(take=lambda rows: np.full((len(rows), 1, 1), END)),
    )
    return ReinforcingTask(
        "reinforce", cast("Any", taught), cast("Any", ToyJudges()), weights, how, 8, 0, chosen_by="reward"
    )


def toy_learner(model: ReportGenerator) -> Learner:
    learner = Learner(model, frozen=True, average=MovingAverage(2, decay=0.9)).double()
    learner.visual = lambda shown: Visual(shown, shown.mean(1))  # type: ignore[method-assign]
    return learner


@pytest.mark.parametrize("how", [HOW, Decoding(way="sample", temperature=0.5)], ids=["as it is", "colder"])
@pytest.mark.parametrize(
    ("weights", "reward"),
    [
        (Weights(1.0, 0.0), lambda judges, texts: judges.overlap(texts, texts)),
        (Weights(0.0, 1.0), lambda judges, texts: judges.findings(texts, texts).parts_NT.sum(1)),
        (
            Weights(1.0, 0.5),
            lambda judges, texts: (
                judges.overlap(texts, texts) + 0.5 * judges.findings(texts, texts).parts_NT.sum(1)
            ),
        ),
    ],
    ids=["self-critical", "moving average", "both"],
)
def test_steps_of_the_task_have_the_exact_gradient_on_average(
    weights: Weights, reward: Callable[[Any, Any], Any], how: Decoding
) -> None:
    from hilum.text.report_words import joined

    model, visual = policy()
    learner, task = toy_learner(model), toy_task(visual.map_BKD, weights, how)
    texts = [joined(one) for one in SPEC.decode(tensors(REPORTS)[0].numpy())]
    wanted = exact(model, visual, torch.from_numpy(reward(ToyJudges(), texts)), how)
    torch.manual_seed(5)
    rows = 15_000
    losses_F = task.losses(learner, np.arange(rows), torch.device("cpu"))
    found = gradient(model, losses_F.sum()) / rows
    assert float((found - wanted).norm() / wanted.norm()) < 0.1
    assert learner.average is not None
    assert learner.average.is_started


def test_every_part_of_a_step_is_measured() -> None:
    model, visual = policy()
    learner, task = toy_learner(model), toy_task(visual.map_BKD, Weights(1.0, 2.0, likelihood=0.1))
    task = ReinforcingTask(
        task.name, SimpleNamespace(**vars(task.taught), scale=SimpleNamespace(words=1.0, sentences=1.0)),  # type: ignore[arg-type]
        task.judges, task.weights, HOW, 8, 0, chosen_by="reward",
    )  # fmt: skip
    torch.manual_seed(0)
    first = task.losses(learner, np.arange(8), torch.device("cpu"))
    assert first.shape == (3,)
    assert torch.isfinite(first).all()
    before = learner.average.average_T.clone()  # type: ignore[union-attr]
    task.losses(learner, np.arange(8), torch.device("cpu"))
    measures = task.measures
    assert measures["findings_baseline"] == dict(zip(ToyJudges.part_names, before.tolist(), strict=True))
    assert measures["baseline"]["findings"] == pytest.approx(float(before.sum()))
    assert measures["reward"]["findings"] - measures["baseline"]["findings"] == pytest.approx(
        measures["advantage"]["findings"]
    )
    total = measures["reward"]["overlap"] + 2 * measures["reward"]["findings"]
    assert measures["reward"]["total"] == pytest.approx(total)
    assert measures["weight"] == {"overlap": 1.0, "findings": 2.0, "likelihood": 0.1}
    assert {"words", "sentences", "empty", "repeats"} == set(measures["length"])
    assert set(measures["positives"]) == {"recall", "precision"}
    assert measures["entropy"]["word"] > 0
    assert measures["entropy"]["stop"] > 0
    assert task.clock.reward_seconds > 0
