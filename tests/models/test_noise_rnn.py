from __future__ import annotations

import pytest
import torch
from tiny_report_generator import pixels, random_words, tiny_generator

from hilum.models._long_text import lay_out
from hilum.models.generator_spec import END, PAD
from hilum.models.noise_rnn import NoiseRnn
from hilum.models.report_generator import Decoding


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_reports_are_laid_out_with_a_second_end() -> None:
    words_BSW = torch.tensor([[[3, 1, 0], [4, 5, 6]], [[7, 8, 1], [0, 0, 0]], [[0] * 3, [0] * 3]])
    found = lay_out(words_BSW)
    assert found.words_BT.tolist() == [[3, 1, 4, 5, 6, 1], [7, 8, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert found.places_BT.tolist() == [[0, 1, 3, 4, 5, 6], [0, 1, 2, 6, 7, 7], [6, 7, 7, 7, 7, 7]]


def test_logits_are_those_of_one_word_after_the_other() -> None:
    model, words_BSW = tiny_generator("noise-rnn"), random_words(3, 3, 5)
    visual = model.noise(3, generator=torch.Generator().manual_seed(1))
    text_BT = lay_out(words_BSW).words_BT
    heard = model.hear(visual, text_BT)
    state = model.start(visual)
    assert torch.allclose(state.hidden_NH, torch.tanh(visual.mean_BD))
    assert not state.memory_NH.any()
    previous = torch.full((3,), END)
    for place in range(text_BT.shape[1]):
        logits_NV, weights_NK1, state = model.step(state, previous)
        assert torch.allclose(heard.logits_BTV[:, place], logits_NV, atol=1e-5)
        assert weights_NK1.tolist() == [[1.0]] * 3
        previous = text_BT[:, place]


def test_noise_is_all_it_sees_and_the_seed_decides_it() -> None:
    model = tiny_generator("noise-rnn")
    assert isinstance(model, NoiseRnn)
    first, again = (model.noise(4, generator=torch.Generator().manual_seed(s)) for s in (1, 1))
    assert torch.equal(first.mean_BD, again.mean_BD)
    assert first.map_BKD.shape == (4, 0, 6)
    torch.manual_seed(3)
    dark = model.encode(pixels(2) * 0)
    torch.manual_seed(3)
    assert torch.equal(dark.mean_BD, model.encode(pixels(2)).mean_BD)
    many = model.noise(4000, generator=torch.Generator().manual_seed(1)).mean_BD
    assert abs(float(many.mean())) < 0.03
    assert float(many.std()) == pytest.approx(1.0, abs=0.03)


def test_reports_are_drawn_from_noise() -> None:
    model = tiny_generator("noise-rnn")
    one, again = (model.sample(5, generator=torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(one.words_BSW, again.words_BSW)
    assert len({str(report) for report in one.words_BSW.tolist()}) > 1
    greedy = model.sample(5, how=Decoding(), generator=torch.Generator().manual_seed(2))
    assert greedy.words_BSW.shape == (5, 4, 5)


def test_a_sentence_that_is_too_long_goes_on_in_the_next_row() -> None:
    model = tiny_generator("noise-rnn")
    with torch.no_grad():
        model.out.weight.zero_()
        model.out.bias.zero_()
        model.out.bias[3] = 9.0
    found = model.sample(1, how=Decoding())
    assert found.words_BSW.tolist() == [[[3] * 5] * 4]
    assert found.stops_BS.tolist() == [[0] * 4]
    assert not found.log_stops_BS.any()


def test_a_report_may_say_nothing() -> None:
    model = tiny_generator("noise-rnn")
    with torch.no_grad():
        model.out.weight.zero_()
        model.out.bias.zero_()
        model.out.bias[END] = 9.0
    found = model.sample(2, how=Decoding())
    assert (found.words_BSW == PAD).all()
    assert found.sentences_B.tolist() == [0, 0]
    assert found.stops_BS.tolist() == [[1, 0, 0, 0]] * 2
    visual = model.noise(2)
    again = model.log_probabilities(visual, found.words_BSW, stops_BS=found.stops_BS, how=Decoding())
    assert torch.allclose(again.total_B, found.total_B, atol=1e-6)
