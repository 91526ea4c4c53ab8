from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_image_classifier import tiny_classifier
from tiny_report_generator import KINDS, pixels, tiny_generator, tiny_generator_spec, words_of

from hilum.core.errors import InputError, OutputError
from hilum.models.classifier import save_classifier
from hilum.models.generating import Visual
from hilum.models.report_generator import load_generator, new_generator, save_generator

WEIGHTS, SPEC = "model.safetensors", "hilum_generator.json"


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_generator_comes_back_with_equal_bytes_and_outputs(kind: str, tmp_path: Path) -> None:
    model = tiny_generator(kind)
    folder = save_generator(tmp_path / "one", model)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    loaded = load_generator(folder)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (loaded.spec, loaded.folder, str(loaded.device)) == (model.spec, folder, "cpu")
    assert not loaded.model.training
    again = save_generator(tmp_path / "two", loaded.model)
    for name in (WEIGHTS, SPEC):
        assert (folder / name).read_bytes() == (again / name).read_bytes()
    assert load_generator(again).digest == loaded.digest
    visual = Visual(*(part.detach() for part in model.encode(pixels())))
    if kind != "noise-rnn":
        assert torch.equal(loaded.model.encode(pixels()).map_BKD, visual.map_BKD)
    mine, theirs = model.decode(visual), loaded.model.decode(visual)
    assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    found = [m.log_probabilities(visual, words_of()).total_B for m in (model, loaded.model)]
    assert torch.equal(*found)


def test_other_weights_have_another_digest(tmp_path: Path) -> None:
    digests = {
        load_generator(save_generator(tmp_path / str(s), tiny_generator(seed=s))).digest for s in (0, 1)
    }
    assert len(digests) == 2


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS)


OUT = "words.out.weight"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: t.pop(OUT), rf"lacks 1 tensors \({OUT}\)"),
        (lambda t: t.update(more=torch.ones(1)), r"has unknown 1 tensors \(more\)"),
        (lambda t: t.update({OUT: torch.ones(13, 6)}), r"wrongly shaped.*\[13, 6\], not \[12, 6\]"),
        (lambda t: t[OUT].fill_(float("nan")), "no finite numbers in 1 tensors"),
    ],
)
def test_wrong_tensors_are_refused(edit: Callable[[Any], Any], said: str, tmp_path: Path) -> None:
    folder = save_generator(tmp_path, tiny_generator())
    change(folder, edit)
    with pytest.raises(InputError, match=said) as raised:
        load_generator(folder)
    assert "this vocabulary and these sizes" in str(raised.value)


def test_a_vocabulary_of_other_weights_is_refused(tmp_path: Path) -> None:
    folder = save_generator(tmp_path, tiny_generator())
    fields = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    fields["words"].append("more")
    (folder / SPEC).write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"wrongly shaped.*words\.embedding\.weight \[12, 6\], not \[13, 6\]"
    ):
        load_generator(folder)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"format": "other"}, "is no hilum report generator"),
        ({"format_version": 9}, "format version 9"),
        ({"kind": "gpt"}, "no kind of generator 'gpt'"),
        ({"words": ["a"]}, "begins with <pad>"),
        ({"later": 1}, "unknown field 'later'"),
    ],
)
def test_specs_of_others_are_refused(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = save_generator(tmp_path, tiny_generator())
    known = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    (folder / SPEC).write_text(json.dumps({**known, **fields}), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        load_generator(folder)


def test_folders_that_are_no_generator_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No report generator was given"):
        load_generator(None)
    with pytest.raises(InputError, match="no folder"):
        load_generator(tmp_path / "none")
    with pytest.raises(InputError, match=f"lacks {SPEC}, {WEIGHTS}"):
        load_generator(tmp_path)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="a report generator is a folder"):
        load_generator(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        save_generator(tmp_path / "file", tiny_generator())
    folder = save_generator(tmp_path / "cut", tiny_generator())
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cannot be read.*check that the file is whole"):
        load_generator(folder)
    with pytest.raises(InputError, match="device 'nowhere' cannot be used"):
        load_generator(save_generator(tmp_path / "good", tiny_generator()), device="nowhere")


@pytest.mark.parametrize("kind", ["cnn-rnn-rnn", "tienet"])
def test_the_encoder_begins_with_a_classifier(kind: str, tmp_path: Path) -> None:
    classifier = tiny_classifier(seed=7)
    folder = save_classifier(tmp_path, classifier)
    model, plain = (new_generator(tiny_generator_spec(kind), classifier=c) for c in (folder, None))
    assert model.encoder is not None
    map_BFHW = model.encoder.eval().backbone.features_map(pixels())
    assert torch.equal(map_BFHW, classifier.backbone.features_map(pixels()))
    same = {n: torch.equal(p, dict(plain.named_parameters())[n]) for n, p in model.named_parameters()}
    assert all(equal for name, equal in same.items() if ".backbone." not in name)
    assert not same["encoder.backbone.features.conv0.weight"]


def test_classifiers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, tiny_classifier())
    other = {"kind": "densenet", "blocks": (2, 2), "growth": 5, "first": 8, "bottleneck": 2}
    with pytest.raises(InputError, match="wrongly shaped"):
        new_generator(tiny_generator_spec(architecture=other), classifier=folder)
    with pytest.raises(InputError, match="sees no images"):
        new_generator(tiny_generator_spec("noise-rnn"), classifier=folder)
    three = new_generator(tiny_generator_spec(channels=3, normalisation="imagenet"), classifier=folder)
    assert three.encoder is not None
    assert three.encoder.backbone.config.channels == 3
