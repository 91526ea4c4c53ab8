"""Reports of images: the same whatever the batch, with the characters and the map of every word."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_report_generator import KINDS, talkative

from hilum.core.errors import ImageError, InputError
from hilum.core.imaging import Image
from hilum.models.classifier import as_input
from hilum.models.classifier_spec import prepare
from hilum.models.decoding import BEAM, GREEDY, SAMPLE, Decoding, remove_repeats
from hilum.models.generator_spec import CNN_RNN_RNN, NOISE_RNN, TIENET
from hilum.models.report_generator import LoadedGenerator, load_generator, save_generator
from hilum.models.write_reports import ReportWriter, WrittenReport, located, write_reports
from hilum.text.report_words import joined


def loaded(folder: Path, kind: str = CNN_RNN_RNN, **changes: object) -> LoadedGenerator:
    return load_generator(save_generator(folder / kind, talkative(kind, **changes)))


def images(count: int = 7) -> list[np.ndarray]:
    draws = np.random.default_rng(3)
    return [draws.random((1, 50 + 3 * k, 60), dtype=np.float32) for k in range(count)]


def told(report: WrittenReport) -> tuple[object, ...]:
    words = tuple((w.text, w.start, w.end, w.map_HW.tobytes(), w.sentinel) for w in report.words)
    return report.text, report.log_probability, report.word_probability, report.stopped, words


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", [GREEDY, BEAM, SAMPLE])
def test_a_report_is_the_same_whatever_the_batch_and_its_company(tmp_path: Path, kind: str, way: str) -> None:
    writer = ReportWriter(loaded(tmp_path, kind), how=Decoding(way, no_repeat_sentences=way != BEAM), seed=4)
    given = images()
    together = [told(one) for one in write_reports(writer, given, batch_size=7).reports]
    assert [told(one) for one in write_reports(writer, given, batch_size=2, workers=1).reports] == together
    assert [told(one) for one in write_reports(writer, given[::-1], batch_size=3).reports] == together[::-1]
    assert told(write_reports(writer, [given[4]]).reports[0]) == together[4]
    assert len({one[0] for one in together}) > 1 or kind == TIENET or way != SAMPLE


def test_draws_follow_the_seed_and_the_image(tmp_path: Path) -> None:
    generator = loaded(tmp_path)
    texts = [
        [
            one.text
            for one in write_reports(ReportWriter(generator, how=Decoding(SAMPLE), seed=s), images()).reports
        ]
        for s in (0, 1, 0)
    ]
    assert texts[0] == texts[2] != texts[1]
    state = torch.get_rng_state()
    write_reports(ReportWriter(generator, how=Decoding(SAMPLE)), images(2))
    assert torch.equal(state, torch.get_rng_state())


def test_words_stand_where_they_are_said_to_and_attention_adds_up(tmp_path: Path) -> None:
    found = write_reports(ReportWriter(loaded(tmp_path)), images())
    assert found.places == tuple(range(7))
    for report in found.reports:
        assert report.text == joined(report.sentences)
        assert [w.text for w in report.words] == [word for words in report.sentences for word in words]
        assert all(report.text[w.start : w.end] == w.text for w in report.words)
        for word in report.words:
            assert word.map_HW.shape[0] == word.map_HW.shape[1] > 1
            assert float(word.map_HW.sum()) + word.sentinel == pytest.approx(1, abs=1e-5)


def test_probabilities_are_those_of_the_generator(tmp_path: Path) -> None:
    generator = loaded(tmp_path)
    writer = ReportWriter(generator, how=Decoding(no_repeat_sentences=False, unknown=True))
    for report, pixels in zip(write_reports(writer, images(3)).reports, images(3), strict=True):
        with torch.no_grad():
            visual = generator.model.encode(as_input(prepare(pixels, generator.spec.image)[None]))
            found = generator.model.decode(visual, how=Decoding(unknown=True))
        assert report.log_probability == pytest.approx(float(found.total_B[0]), abs=1e-4)
        words = int((found.words_BSW != 0).sum())
        assert report.word_probability == pytest.approx(
            math.exp(float(found.log_words_BSW.sum()) / words), rel=1e-4
        )


def test_repeats_are_forbidden_removed_or_kept(tmp_path: Path) -> None:
    generator = loaded(tmp_path)
    with torch.no_grad():  # all topics alike, and no stop
        generator.model.get_parameter("words.context.weight")[:, generator.spec.width :] = 0.0
        generator.model.get_parameter("sentences.stop.bias").fill_(-9.0)
    kept, removed, forbidden = (
        write_reports(ReportWriter(generator, how=how, repeats_removed=off), images()).reports
        for how, off in ((Decoding(), False), (Decoding(), True), (None, False))
    )
    assert any(len(set(one.sentences)) < len(one.sentences) for one in kept)
    assert [one.sentences for one in removed] == [remove_repeats(one.sentences) for one in kept]
    assert all(len(set(one.sentences)) == len(one.sentences) for one in forbidden)
    assert [one.log_probability for one in removed] == [one.log_probability for one in kept]
    for before, after in zip(kept, removed, strict=True):
        assert [w.text for w in after.words] == [word for words in after.sentences for word in words]
        if before.sentences:
            size = len(before.sentences[0])
            assert all(
                a.map_HW.tobytes() == b.map_HW.tobytes()
                for a, b in zip(before.words[:size], after.words[:size], strict=True)
            )


def test_a_bad_image_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    writer = ReportWriter(loaded(tmp_path))
    good = images(2)
    sources = [good[0], tmp_path / "bad.png", Image("no pixels"), good[1]]
    found = write_reports(writer, sources, ids=["a", "b", "c", "d"], batch_size=2)
    assert found.places == (0, 3)
    assert [(one.place, one.id) for one in found.failed] == [(1, "b"), (2, "c")]
    assert "neither pixels nor a file" in found.failed[1].why
    assert [told(one) for one in found.reports] == [told(one) for one in write_reports(writer, good).reports]
    with pytest.raises(ImageError):
        write_reports(writer, sources, on_error="raise")
    with pytest.raises(InputError, match="3 ids for 4 images"):
        write_reports(writer, sources, ids=["a", "b", "c"])
    assert write_reports(writer, []).reports == ()


def test_the_generator_that_was_loaded_stays_as_it_is(tmp_path: Path) -> None:
    generator = loaded(tmp_path)
    before = {name: value.clone() for name, value in generator.model.state_dict().items()}
    ReportWriter(generator).write([])
    after = generator.model.state_dict()
    assert all(
        torch.equal(before[name], after[name]) and after[name].dtype == before[name].dtype for name in before
    )


def test_without_an_image_there_are_no_maps(tmp_path: Path) -> None:
    report = write_reports(ReportWriter(loaded(tmp_path, NOISE_RNN)), images(1)).reports[0]
    assert all(word.map_HW.size == 0 and word.sentinel == 1.0 for word in report.words)


def test_marks_and_numbers_are_located() -> None:
    sentences = (("tube", ",", "2.5", "cm", "(", "no", "no", ")"), ("?", "edema"), ("edema", "?"))
    text, spans = located(sentences)
    assert [text[a:b] for a, b in spans] == [word for words in sentences for word in words]
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert located(()) == ("", [])
