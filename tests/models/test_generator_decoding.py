from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_report_generator import KINDS, pixels, tiny_generator

from hilum.core.errors import InputError
from hilum.models._decoding import forbid_ngrams
from hilum.models.generating import Visual
from hilum.models.generator_spec import END, PAD, UNKNOWN
from hilum.models.report_generator import Decoding, Generated, remove_repeats


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seen(model: Any, count: int = 6) -> Visual:
    return Visual(*(part.detach() for part in model.encode(pixels(count))))


def sentences(found: Generated) -> list[list[tuple[int, ...]]]:
    return [
        [tuple(w for w in words if w) for words in report[:count]]
        for report, count in zip(found.words_BSW.tolist(), found.sentences_B.tolist(), strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "how",
    [
        Decoding("sample"),
        Decoding("sample", temperature=0.5),
        Decoding("sample", unknown=True, most_sentences=2, most_words=3),
        Decoding(),
        Decoding("beam", beams=3),
    ],
)
def test_what_was_decoded_has_its_probability(kind: str, how: Decoding) -> None:
    model = tiny_generator(kind)
    visual = seen(model, 20)
    with torch.no_grad():
        found = model.decode(visual, how=how, generator=drawn(1))
        again = model.log_probabilities(visual, found.words_BSW, stops_BS=found.stops_BS, how=how)
    assert torch.allclose(found.log_words_BSW, again.log_words_BSW, atol=2e-5)
    assert torch.allclose(found.log_stops_BS, again.log_stops_BS, atol=2e-5)
    said = found.words_BSW != PAD
    assert torch.equal(said[..., 0].sum(1), found.sentences_B)
    assert not found.log_words_BSW[~said].any()
    assert torch.allclose(found.attention_BSWK1.sum(-1), said.float(), atol=1e-5)
    assert how.unknown or not (found.words_BSW == UNKNOWN).any()
    assert found.words_BSW.shape[1:] == (how.most_sentences or 4, how.most_words or 5)
    assert found.stops_BS.sum(1).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_drawn_words_are_those_of_teacher_forcing(kind: str) -> None:
    model, how = tiny_generator(kind), Decoding("sample")
    visual = seen(model)
    found = model.decode(visual, how=how, generator=drawn(2))
    found.total_B.sum().backward()
    slow = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    again = model.log_probabilities(visual, found.words_BSW, stops_BS=found.stops_BS, how=how)
    again.total_B.sum().backward()
    fast = {n: p.grad for n, p in model.named_parameters() if p.grad is not None and n in slow}
    assert slow
    assert all(torch.allclose(slow[name], fast[name], atol=5e-4) for name in fast)


def test_drawn_words_and_stops_follow_their_probabilities() -> None:
    model, n = tiny_generator(), 4000
    visual = seen(model, 1)
    many = Visual(*(part.expand(n, *part.shape[1:]) for part in visual))
    with torch.no_grad():
        found = model.decode(many, how=Decoding("sample", unknown=True), generator=drawn(3))
        teacher = model.forward_visual(visual, torch.tensor([[[END]]]))
    shares_V = torch.softmax(teacher.word_logits_BSWV[0, 0, 0], -1)
    counted_V = torch.bincount(found.words_BSW[:, 0, 0], minlength=len(shares_V)) / n
    assert float((shares_V - counted_V).abs().max()) < 0.03
    assert float(found.stops_BS[:, 0].float().mean()) == pytest.approx(
        float(torch.sigmoid(teacher.stop_logits_BS[0, 0])), abs=0.03
    )


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_takes_the_most_probable_word_and_stops_above_one_half(kind: str) -> None:
    model = tiny_generator(kind)
    visual = seen(model)
    with torch.no_grad():
        found = model.decode(visual)
        teacher = model.forward_visual(visual, found.words_BSW)
    logits = teacher.word_logits_BSWV.clone()
    logits[..., UNKNOWN] = float("-inf")
    said = found.words_BSW != PAD
    if kind == "cnn-rnn-rnn":
        assert torch.equal(logits.argmax(-1)[said], found.words_BSW[said])
        stop = (torch.sigmoid(model.sentences(visual.mean_BD, 4)[1]) > 0.5).tolist()
        counts = [row.index(True) + 1 if True in row else 4 for row in stop]
        assert found.sentences_B.tolist() == counts
    else:
        assert torch.equal(logits.argmax(-1)[said], found.words_BSW[said])


@pytest.mark.parametrize("kind", KINDS)
def test_a_beam_of_one_is_greedy_and_wider_beams_are_no_worse(kind: str) -> None:
    for seed in range(4):
        model = tiny_generator(kind, seed=seed)
        visual = seen(model)
        with torch.no_grad():
            greedy = model.decode(visual)
            one = model.decode(visual, how=Decoding("beam", beams=1))
            wide = model.decode(visual, how=Decoding("beam", beams=4))
        assert torch.equal(greedy.words_BSW, one.words_BSW)
        gain = wide.log_words_BSW.sum(-1) - greedy.log_words_BSW.sum(-1)
        if kind != "cnn-rnn-rnn":
            gain = wide.total_B - greedy.total_B
        assert float(gain.min()) >= -1e-5


def test_a_beam_as_wide_as_all_sentences_finds_the_best_of_them() -> None:
    model = tiny_generator(most_words=3, most_sentences=1)
    visual = seen(model, 3)
    with torch.no_grad():
        wide = model.decode(visual, how=Decoding("beam", beams=1000))
        words = [w for w in range(1, 12) if w != UNKNOWN]
        every = [(END, 0, 0)]
        every += [(a, END, 0) for a in words[1:]]
        every += [(a, b, c) for a in words[1:] for b in words[1:] for c in words]
        for b in range(3):
            row = Visual(*(p[b : b + 1].expand(len(every), *p.shape[1:]) for p in visual))
            scored = model.log_probabilities(row, torch.tensor(every)[:, None], how=Decoding("beam"))
            totals = scored.log_words_BSW.sum((1, 2))
            assert tuple(wide.words_BSW[b, 0].tolist()) == every[int(totals.argmax())]
            assert float(wide.log_words_BSW[b].sum()) == pytest.approx(float(totals.max()), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["greedy", "sample", "beam"])
def test_no_sentence_is_said_twice(kind: str, way: str) -> None:
    for seed in range(3):
        model = tiny_generator(kind, seed=seed, most_sentences=6)
        if kind == "cnn-rnn-rnn":
            with torch.no_grad():
                model.sentences.stop.bias.fill_(-9.0)
        how = Decoding(way, no_repeat_sentences=True)
        with torch.no_grad():
            plain = sentences(model.decode(seen(model), how=Decoding(way), generator=drawn(seed)))
            found = sentences(model.decode(seen(model), how=how, generator=drawn(seed)))
        assert way == "sample" or kind != "cnn-rnn-rnn" or any(len(set(r)) < len(r) for r in plain)
        assert all(len(set(report)) == len(report) for report in found)


def test_a_greedy_sentence_written_again_is_that_of_writing_in_order() -> None:
    """One sentence after the other: the best word that does not complete an earlier sentence."""
    model = tiny_generator(seed=1)
    with torch.no_grad():
        model.sentences.stop.bias.fill_(-9.0)
        visual = seen(model, 3)
        found = sentences(model.decode(visual, how=Decoding(no_repeat_sentences=True)))
        for b in range(3):
            earlier: list[tuple[int, ...]] = []
            for _ in range(4):
                said: tuple[int, ...] = ()
                while len(said) < 5 and END not in said:
                    words = [[*one, *[0] * (5 - len(one))] for one in (*earlier, (*said, END))]
                    teacher = model.forward_visual(visual.take(torch.tensor([b])), torch.tensor([words]))
                    logits = teacher.word_logits_BSWV[0, len(earlier), len(said)].clone()
                    logits[UNKNOWN] = float("-inf")
                    for one in earlier:
                        if one[:-1] == said:
                            logits[one[-1]] = float("-inf")
                    said = (*said, int(logits.argmax()))
                earlier.append(said)
            assert found[b] == earlier


@pytest.mark.parametrize("kind", KINDS)
def test_words_do_not_follow_each_other_twice(kind: str) -> None:
    model = tiny_generator(kind, most_words=9)
    for way in ("greedy", "sample", "beam"):
        how = Decoding(way, no_repeat_ngram=2)
        for report in sentences(model.decode(seen(model), how=how, generator=drawn(1))):
            for words in report:
                pairs = list(pairwise(words))
                assert len(set(pairs)) == len(pairs)
    assert forbid_ngrams([3, 4, 3], 2) == {4}
    assert forbid_ngrams([3, 4, 3], 1) == {3, 4}
    assert forbid_ngrams([3, 4, 5, 3, 4], 3) == {5}
    assert forbid_ngrams([3], 2) == forbid_ngrams([3, 3], 0) == set()


def test_repeats_are_removed_by_name() -> None:
    report = [("a", "b"), ("c",), ("a", "b"), (), ("c",)]
    assert remove_repeats(report) == (("a", "b"), ("c",), ())


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=2)))
def test_removing_repeats_again_changes_nothing(report: list[list[str]]) -> None:
    once = remove_repeats(report)
    assert remove_repeats(once) == once
    assert set(once) == {tuple(words) for words in report}


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_what_is_drawn(kind: str) -> None:
    model, how = tiny_generator(kind), Decoding("sample")
    visual = seen(model)
    first, again, other = (model.decode(visual, how=how, generator=drawn(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.words_BSW, again.words_BSW)
    assert torch.equal(first.log_words_BSW, again.log_words_BSW)
    assert not torch.equal(first.words_BSW, other.words_BSW)
    torch.manual_seed(4)
    one = model.decode(visual, how=how)
    torch.manual_seed(4)
    assert torch.equal(one.words_BSW, model.decode(visual, how=how).words_BSW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [Decoding(), Decoding("beam"), Decoding(no_repeat_sentences=True)])
def test_a_report_does_not_depend_on_its_batch(kind: str, how: Decoding) -> None:
    model = tiny_generator(kind)
    visual = seen(model)
    together = model.decode(visual, how=how)
    for b in range(6):
        alone = model.decode(visual.take(torch.tensor([b])), how=how)
        assert torch.equal(alone.words_BSW[0], together.words_BSW[b])
        assert torch.allclose(alone.log_words_BSW[0], together.log_words_BSW[b], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_images_give_no_reports(kind: str) -> None:
    model = tiny_generator(kind)
    none = Visual(*(part[:0] for part in seen(model)))
    for way in ("greedy", "sample", "beam"):
        assert model.decode(none, how=Decoding(way)).words_BSW.shape == (0, 4, 5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["greedy", "sample", "beam"])
def test_values_that_are_no_numbers_are_noticed(kind: str, way: str) -> None:
    model = tiny_generator(kind)
    visual = seen(model)
    broken = visual._replace(mean_BD=visual.mean_BD * float("nan"), map_BKD=visual.map_BKD * float("nan"))
    with pytest.raises(InputError, match=r"values that are no numbers.*lower learning rate"):
        model.decode(broken, how=Decoding(way))
    with torch.no_grad():
        model.get_submodule("words.out" if kind == "cnn-rnn-rnn" else "out").bias[4] = float("nan")
    with pytest.raises(InputError, match="values that are no numbers"):
        model.decode(visual, how=Decoding(way))


def test_a_vocabulary_that_is_used_up_is_said() -> None:
    model = tiny_generator(words=("<pad>", "<end>", "<unknown>", "a"), most_words=1)
    with torch.no_grad():
        model.sentences.stop.bias.fill_(-9.0)
    with pytest.raises(InputError, match="Every word of the vocabulary is forbidden"):
        model.decode(seen(model), how=Decoding(no_repeat_sentences=True))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.booleans(), st.integers(0, 50))
def test_limits_hold(most_sentences: int, most_words: int, no_repeat: bool, seed: int) -> None:
    for kind in KINDS:
        model = tiny_generator(kind, loud=1.0)
        how = Decoding(
            "sample", no_repeat_sentences=no_repeat, most_sentences=most_sentences, most_words=most_words
        )
        with torch.no_grad():
            found = model.decode(seen(model, 2), how=how, generator=drawn(seed))
        assert found.words_BSW.shape == (2, most_sentences, most_words)
        assert int(found.sentences_B.max()) <= most_sentences
        for report in found.words_BSW.tolist():
            for words in report:
                after = words[words.index(END) + 1 :] if END in words else []
                assert not any(after)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"way": "best"}, "no way of decoding 'best'"),
        ({"beams": 0}, "beams is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram is -1"),
        ({"most_words": 0}, "most_words is 0"),
        ({"most_sentences": True}, "most_sentences is True"),
    ],
)
def test_ways_that_there_are_not_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Decoding(**changes)
