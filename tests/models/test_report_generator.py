from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_report_generator import (
    FINDINGS,
    KINDS,
    REPORTS,
    WORDS,
    pixels,
    random_words,
    tiny_generator,
    tiny_generator_spec,
    words_of,
)

from hilum.core.errors import InputError
from hilum.models.generating import Visual
from hilum.models.generator_spec import END, PAD, SPECIALS, UNKNOWN, GeneratorSpec, with_specials
from hilum.models.report_generator import Decoding, Likelihood, new_generator
from hilum.text.report_words import Sentences


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# --- the spec ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_spec_comes_back_from_json(kind: str) -> None:
    spec = tiny_generator_spec(kind, dropout=0.25)
    text = json.dumps(spec.to_json())
    assert GeneratorSpec.from_json(text) == spec
    assert GeneratorSpec.from_json(json.loads(text)).to_json() == spec.to_json()
    assert spec.sees == (kind != "noise-rnn")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "rnn"}, "no kind of generator 'rnn'"),
        ({"words": ("a", "b")}, "begins with <pad>, <end>, <unknown>"),
        ({"words": SPECIALS}, "has no words"),
        ({"words": (*SPECIALS, "a", "a")}, "'a' twice"),
        ({"words": (*SPECIALS, "a b")}, "white space"),
        ({"width": 0}, "width is 0"),
        ({"most_words": True}, "most_words is True"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"findings": ("Edema",)}, "no other kind has them"),
        ({"kind": "tienet", "findings": ("Oedema",)}, "none of"),
        ({"kind": "tienet", "findings": ()}, "needs findings"),
        ({"size_px": 8}, "size_px is 8"),
        ({"architecture": "some/backbone"}, "DenseNet of hilum"),
        ({"vocabulary": "other"}, "no vocabulary 'other'"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tiny_generator_spec(changes.pop("kind", "cnn-rnn-rnn"), **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": "no"}, "words"),
        ({"dropout": "much"}, "dropout"),
        ({"more": 1}, "unknown field 'more'"),
        ({"width": None}, "width is None"),
        ({"architecture": 3}, "architecture"),
    ],
)
def test_json_of_a_wrong_form_is_refused(changes: dict[str, Any], said: str) -> None:
    fields = {**tiny_generator_spec().to_json(), **changes}
    with pytest.raises(InputError, match=said) as raised:
        GeneratorSpec.from_json(fields, where="a.json")
    assert "a.json" in str(raised.value)


def test_reports_become_numbers_and_reports_again() -> None:
    spec = tiny_generator_spec()
    found = spec.encode(REPORTS)
    assert found.words_BSW.shape == (3, 3, 4)
    assert found.words_BSW[1].tolist() == [[6, 7, 9, END], [0] * 4, [0] * 4]
    assert (found.words, found.unknown, found.cut_sentences, found.cut_words) == (14, 0, 0, 0)
    assert spec.decode(found.words_BSW) == list(REPORTS)


def test_what_is_too_long_or_unknown_is_counted() -> None:
    spec = tiny_generator_spec(most_sentences=2, most_words=3)
    long: Sentences = (("no", "edema", "is", "large"), ("no", "fracture"), ("heart",))
    found = spec.encode([long, ()])
    assert found.words_BSW.tolist() == [[[3, 4, 7], [3, UNKNOWN, END]], [[0] * 3, [0] * 3]]
    assert (found.unknown, found.cut_sentences, found.cut_words) == (1, 1, 1)
    assert spec.decode(found.words_BSW) == [(("no", "edema", "is"), ("no", "<unknown>")), ()]
    assert spec.encode([]).words_BSW.shape == (0, 1, 1)


def test_other_vocabularies_are_refused() -> None:
    spec = tiny_generator_spec()
    spec.check_words(with_specials(WORDS))
    with pytest.raises(InputError, match=r"word 3 is 'yes', not 'no'.*Next step"):
        spec.check_words(with_specials(("yes", *WORDS[1:])), where="the training data")
    with pytest.raises(InputError, match="13 words, not 12"):
        spec.check_words(with_specials((*WORDS, "more")))
    with pytest.raises(InputError, match="from 0 to 12, and the vocabulary has 12"):
        spec.decode(np.array([[[12, 1, 0]]]))
    with pytest.raises(InputError, match="whole numbers"):
        spec.decode(np.zeros((1, 2)))


# --- the equations, one word at a time ---


def lstm(
    cell: torch.nn.LSTM, x: torch.Tensor, h: torch.Tensor, m: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    gates = cell.weight_ih_l0 @ x + cell.bias_ih_l0 + cell.weight_hh_l0 @ h + cell.bias_hh_l0
    i, f, g, o = gates.chunk(4)
    m = torch.sigmoid(f) * m + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(m), m


def slow_report(model: Any, map_KD: torch.Tensor, words_SW: torch.Tensor) -> tuple[Any, Any, Any]:
    """Logits of words, of stops, and attention, by loops over the equations of the module's docstrings."""
    part, sentence, mean = model.words, model.sentences, map_KD.mean(0)
    hidden = model.spec.hidden
    h = m = torch.zeros(hidden)
    words, stops, looked = [], [], []
    for ids in words_SW.tolist():
        h, m = lstm(sentence.lstm, mean, h, m)
        topic = torch.relu(sentence.topic.weight @ h + sentence.topic.bias)
        stops.append(sentence.stop.weight[0] @ h + sentence.stop.bias[0])
        a = c = torch.zeros(hidden)
        previous = END
        for word in [w for w in ids if w != PAD]:
            x = torch.cat([mean, topic, part.embedding.weight[previous]])
            input_weight = torch.cat([part.context.weight, part.previous.weight], 1)
            i, f, o, s, g = (input_weight @ x + part.context.bias + part.recurrent.weight @ a).chunk(5)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            a = torch.sigmoid(o) * torch.tanh(c)
            sentinel = torch.sigmoid(s) * torch.tanh(c)
            asked = part.state_key.weight @ a + part.state_key.bias
            keys = [part.place_key.weight @ v for v in map_KD] + [part.sentinel_key.weight @ sentinel]
            weights = torch.softmax(
                torch.stack([part.compare.weight[0] @ torch.tanh(k + asked) for k in keys]), 0
            )
            shown = part.sentinel_value.weight @ sentinel + part.sentinel_value.bias
            read = sum(w * v for w, v in zip(weights, [*map_KD, shown], strict=True))
            read = read + part.state_value.weight @ a + part.state_value.bias
            logits = part.out.weight @ read + part.out.bias
            logits[PAD] -= 1e4
            words.append(logits)
            looked.append(weights)
            previous = word
    return torch.stack(words), torch.stack(stops), torch.stack(looked)


def test_teacher_forcing_is_the_equations() -> None:
    model, words_BSW = tiny_generator(), random_words(4, 3, 5)
    visual = model.encode(pixels(4))
    assert torch.allclose(visual.mean_BD, visual.map_BKD.mean(1))
    found = model.forward_visual(visual, words_BSW)
    for b in range(4):
        said_SW = words_BSW[b] != PAD
        logits, stops, weights = slow_report(model, visual.map_BKD[b], words_BSW[b][said_SW[:, 0]])
        assert torch.allclose(found.word_logits_BSWV[b][said_SW], logits, atol=2e-5)
        assert torch.allclose(found.attention_BSWK1[b][said_SW], weights, atol=1e-6)
        assert torch.allclose(found.stop_logits_BS[b, : len(stops)], stops, atol=1e-6)
        assert not found.word_logits_BSWV[b][~said_SW].any()
        assert not found.stop_logits_BS[b, len(stops) :].any()
    assert torch.allclose(found.attention_BSWK1.sum(-1), (words_BSW != PAD).float(), atol=1e-5)


def test_a_map_is_the_projected_last_map_of_the_densenet() -> None:
    model, seen = tiny_generator(), pixels(2)
    map_BFHW = model.encoder.backbone.features_map(seen)
    flat_BKF = map_BFHW.flatten(2).transpose(1, 2)
    expected = flat_BKF @ model.encoder.project.weight.T + model.encoder.project.bias
    assert torch.allclose(model.encode(seen).map_BKD, expected, atol=1e-6)
    assert torch.equal(
        model.encoder.projected(model.encoder.features(seen)).map_BKD, model.encode(seen).map_BKD
    )


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_those_of_the_logits(kind: str) -> None:
    model, words_BSW = tiny_generator(kind), random_words(4, 3, 5)
    visual = model.encode(pixels(4))
    teacher = model.forward_visual(visual, words_BSW)
    found = model.log_probabilities(visual, words_BSW)
    logs = torch.log_softmax(teacher.word_logits_BSWV, -1).gather(-1, words_BSW[..., None]).squeeze(-1)
    assert torch.allclose(found.log_words_BSW, logs.masked_fill(words_BSW == PAD, 0.0), atol=1e-5)
    for b, report in enumerate(words_BSW):
        count = int((report[:, 0] != PAD).sum())
        u = torch.sigmoid(teacher.stop_logits_BS[b])
        last = torch.log(u[count - 1])
        before = torch.log(1 - u[: count - 1]) if kind == "cnn-rnn-rnn" else torch.zeros(count - 1)
        expected = torch.cat([before, last[None], torch.zeros(len(u) - count)])
        assert torch.allclose(found.log_stops_BS[b], expected, atol=1e-5)
    assert torch.allclose(found.total_B, found.log_words_BSW.sum((1, 2)) + found.log_stops_BS.sum(1))


@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_other_reports_change_anything(kind: str) -> None:
    model, words_BSW = tiny_generator(kind), random_words(4, 3, 5)
    visual = model.encode(pixels(4))
    found = model.log_probabilities(visual, words_BSW)
    wide = torch.nn.functional.pad(words_BSW, (0, 2, 0, 1))
    padded = model.log_probabilities(visual, wide)
    assert torch.allclose(padded.log_words_BSW[:, :3, :5], found.log_words_BSW, atol=1e-5)
    assert torch.allclose(padded.total_B, found.total_B, atol=1e-4)
    for b in range(4):
        row = torch.tensor([b])
        alone = model.log_probabilities(visual.take(row), words_BSW[row])
        assert torch.allclose(alone.log_words_BSW[0], found.log_words_BSW[b], atol=1e-5)
        assert torch.allclose(alone.log_stops_BS[0], found.log_stops_BS[b], atol=1e-5)


def test_all_reports_of_a_small_world_add_up_to_one() -> None:
    """Two words, two sentences of at most two words: every report and its stops, enumerated."""
    model = tiny_generator(words=with_specials(("a", "b")), most_sentences=2, most_words=2, loud=1.0)
    visual = model.encode(pixels(1))
    sentences = [(END, PAD), *((w, z) for w in (3, 4) for z in (END, 3, 4))]
    how, total = Decoding("sample"), 0.0
    for first in sentences:
        one = torch.tensor([[first]])
        total += math.exp(_total(model, visual, one, torch.tensor([[1]]), how))
        for second in sentences:
            two = torch.tensor([[first, second]])
            for last in (0, 1):
                total += math.exp(_total(model, visual, two, torch.tensor([[0, last]]), how))
    assert total == pytest.approx(1.0, abs=1e-5)


def _total(
    model: Any, visual: Visual, words_BSW: torch.Tensor, stops_BS: torch.Tensor, how: Decoding
) -> float:
    found: Likelihood = model.log_probabilities(visual, words_BSW, stops_BS=stops_BS, how=how)
    return float(found.total_B.detach())


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_gets_a_gradient_and_learning_lowers_the_loss(kind: str) -> None:
    model = tiny_generator(kind, loud=1.0).train()
    words_BSW, seen = words_of(), pixels(3)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    noise = model.encode(seen)
    losses = []
    for step in range(25):
        visual = noise if kind == "noise-rnn" else model.encode(seen)
        found = model.log_probabilities(visual, words_BSW)
        loss = -found.total_B.mean()
        if found.finding_logits_BF is not None:
            loss = loss + torch.nn.functional.softplus(-found.finding_logits_BF).mean()
        optimiser.zero_grad()
        loss.backward()
        if not step:
            assert [name for name, p in model.named_parameters() if p.grad is None] == []
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]


def test_gradients_are_those_of_the_slow_equations() -> None:
    model, words_BSW = tiny_generator(loud=1.0), random_words(1, 3, 5)
    visual = Visual(*(part.detach() for part in model.encode(pixels(1))))
    parts = [p for name, p in model.named_parameters() if name.startswith("words.")]
    (-model.log_probabilities(visual, words_BSW).log_words_BSW.sum()).backward()
    fast = [p.grad.clone() for p in parts]
    model.zero_grad()
    said = words_BSW[0] != PAD
    logits, _, _ = slow_report(model, visual.map_BKD[0], words_BSW[0][said[:, 0]])
    torch.nn.functional.cross_entropy(logits, words_BSW[0][said], reduction="sum").backward()
    for mine, part in zip(fast, parts, strict=True):
        assert torch.allclose(mine, part.grad, atol=2e-4)


# --- the parts around it ---


def test_a_frozen_backbone_stays_and_its_projection_learns() -> None:
    model = tiny_generator().train()
    model.freeze_backbone()
    before = {name: value.clone() for name, value in model.encoder.backbone.state_dict().items()}
    assert not model.encoder.backbone.training
    model.log_probabilities(model.encode(pixels(3)), words_of()).total_B.sum().backward()
    assert all(p.grad is None for p in model.encoder.backbone.parameters())
    assert model.encoder.project.weight.grad is not None
    assert all(
        torch.equal(before[name], value) for name, value in model.encoder.backbone.state_dict().items()
    )
    model.freeze_backbone(False)
    assert model.encoder.backbone.training
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_do_not_fit_are_refused(kind: str) -> None:
    model = tiny_generator(kind)
    visual = model.encode(pixels(3))
    for words, said in (
        (words_of()[:2], "with B 3"),
        (words_of().int(), "int64"),
        (words_of()[:, 0], r"\[B, S, W\]"),
        (words_of().clamp(max=0) + 12, "from 12 to 12, and the vocabulary has 12"),
        (words_of() - 1, "from -1"),
        (words_of().flip(2), "padding before a word"),
        (words_of().flip(1), "padding before a word or a sentence"),
    ):
        with pytest.raises(InputError, match=said):
            model.forward_visual(visual, words)
    with pytest.raises(InputError, match="cannot be given their probabilities"):
        model.log_probabilities(visual, words_of(), how=Decoding("sample", no_repeat_ngram=2))


@pytest.mark.parametrize("kind", KINDS)
def test_reports_without_sentences_count_as_silence(kind: str) -> None:
    model = tiny_generator(kind)
    found = model.log_probabilities(model.encode(pixels(2)), torch.zeros(2, 1, 1, dtype=torch.int64))
    assert not found.log_words_BSW.any()
    assert bool((found.total_B == 0).all()) == (kind == "cnn-rnn-rnn")


@pytest.mark.parametrize("kind", KINDS)
def test_new_generators_depend_on_the_seed_alone(kind: str) -> None:
    spec = tiny_generator_spec(kind)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, again, other = (new_generator(spec, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.training
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_images_of_a_spec_are_read_as_for_a_classifier() -> None:
    image = tiny_generator_spec("tienet").image
    assert (image.findings, image.size_px, image.channels, image.normalisation) == (FINDINGS, 64, 1, "none")
