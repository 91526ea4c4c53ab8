from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_report_generator import FINDINGS, pixels, random_words, tiny_generator

from hilum.models._long_text import lay_out
from hilum.models.generator_spec import END, PAD


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def slow(
    model: Any, map_KD: torch.Tensor, text: list[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of words, attention and logits of findings, one word and one place at a time."""
    mean = map_KD.mean(0)
    h = torch.tanh(model.first_hidden.weight @ mean + model.first_hidden.bias)
    m = torch.tanh(model.first_memory.weight @ mean + model.first_memory.bias)
    previous, logits, looked, states = END, [], [], []
    for word in text:
        asked = model.state_key.weight @ h + model.state_key.bias
        scores = [model.compare.weight[0] @ torch.tanh(model.place_key.weight @ v + asked) for v in map_KD]
        weights = torch.softmax(torch.stack(scores), 0)
        seen = sum(w * v for w, v in zip(weights, map_KD, strict=True))
        gates = model.previous.weight @ model.embedding.weight[previous] + model.previous.bias
        i, f, o, g = (gates + model.seen.weight @ seen + model.recurrent.weight @ h).chunk(4)
        m = torch.sigmoid(f) * m + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(m)
        states.append(h)
        looked.append(weights)
        logits.append(model.out.weight @ h + model.out.bias)
        previous = word
    states_TH = torch.stack(states)
    hops = [torch.softmax(torch.tanh(states_TH @ model.reading.weight.T) @ r, 0) for r in model.hops.weight]
    text_H = torch.stack([sum(w * s for w, s in zip(hop, states, strict=True)) for hop in hops]).amax(0)
    strongest = torch.stack(hops).amax(0)
    places = sum(w * a for w, a in zip(strongest / strongest.sum(), looked, strict=True))
    told = model.findings.weight @ torch.cat([text_H, places @ map_KD]) + model.findings.bias
    return torch.stack(logits), torch.stack(looked), told


def test_teacher_forcing_is_the_equations() -> None:
    model, words_BSW = tiny_generator("tienet"), random_words(4, 3, 5)
    visual = model.encode(pixels(4))
    text = lay_out(words_BSW)
    found = model.forward_visual(visual, words_BSW)
    heard = model.hear(visual, text.words_BT)
    assert found.finding_logits_BF is not None
    assert found.finding_logits_BF.shape == (4, len(FINDINGS))
    for b in range(4):
        ids = [w for w in text.words_BT[b].tolist() if w != PAD]
        logits, weights, told = slow(model, visual.map_BKD[b], ids)
        mine = heard.logits_BTV[b, : len(ids)]
        assert torch.allclose(mine[:, 1:], logits[:, 1:], atol=2e-5)
        assert torch.allclose(heard.attention_BTK1[b, : len(ids), :-1], weights, atol=1e-6)
        assert torch.allclose(found.finding_logits_BF[b], told, atol=1e-5)
        said = words_BSW[b] != PAD
        assert torch.allclose(found.word_logits_BSWV[b][said][:, 1:], logits[:-1, 1:], atol=2e-5)
    assert not found.attention_BSWK1[..., -1].any()


def test_findings_depend_on_neither_padding_nor_the_batch() -> None:
    model, words_BSW = tiny_generator("tienet"), random_words(4, 3, 5)
    visual = model.encode(pixels(4))
    together = model.log_probabilities(visual, words_BSW).finding_logits_BF
    for b in range(4):
        row = torch.tensor([b])
        wide = torch.nn.functional.pad(words_BSW[row], (0, 3, 0, 2))
        alone = model.log_probabilities(visual.take(row), wide).finding_logits_BF
        assert torch.allclose(alone[0], together[b], atol=1e-5)


def test_a_loss_on_findings_reaches_the_image_and_the_words() -> None:
    model = tiny_generator("tienet").train()
    found = model.log_probabilities(model.encode(pixels(4)), random_words(4, 3, 5))
    found.finding_logits_BF.square().sum().backward()
    for name in ("encoder.project.weight", "embedding.weight", "hops.weight", "recurrent.weight"):
        assert float(model.get_parameter(name).grad.abs().sum()) > 0
    assert model.out.weight.grad is None
