from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_image_classifier import ARCHITECTURE, batch, stirred, tiny_classifier, tiny_spec

from hilum.core.errors import InputError, OutputError, UnknownNameError
from hilum.models.classifier import load_classifier, new_classifier, save_classifier
from hilum.models.classifier_checkpoint import convert_classifier, read_classifier_checkpoint
from hilum.models.densenet import DenseNet, DenseNetConfig

TWO = ("Edema", "Cardiomegaly")
States = dict[str, Any]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def original(*, channels: int = 3, outputs: int = 2, **sizes: Any) -> DenseNet:
    config = DenseNetConfig(
        **{"blocks": (2, 2), "growth": 4, "first": 8, "bottleneck": 2, **sizes}, channels=channels
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return stirred(DenseNet(config, outputs=outputs))


def legacy(state: States) -> States:
    """Names as they were before 2017, without counters: the files offered for ImageNet."""
    renamed = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", n): t for n, t in state.items()}
    return {name: tensor for name, tensor in renamed.items() if not name.endswith("num_batches_tracked")}


def in_sequence(state: States, prefix: str) -> States:
    """The head in a Sequential with a sigmoid, the network in other modules."""
    return {prefix + name.replace("classifier.", "classifier.0."): t for name, t in state.items()}


FORMATS: dict[str, tuple[str, Callable[[States], States], int]] = {
    "torchvision": ("torchvision", dict, 3),
    "torchvision, legacy names": ("torchvision", legacy, 3),
    "chexpert": ("chexpert", lambda s: {"state_dict": in_sequence(s, "module.densenet121.")}, 3),
    "chexpert, legacy names": (
        "chexpert",
        lambda s: {
            "epoch": 3,
            "state_dict": in_sequence(legacy(s), "module.densenet121."),
            "optimizer": {"lr": 1e-4},
        },
        3,
    ),
    "chexpert, deeper": (
        "chexpert",
        lambda s: {"model_state_dict": in_sequence(s, "model.module.densenet121.")},
        3,
    ),
    "chexpert, DataParallel alone": ("chexpert", lambda s: {f"module.{n}": t for n, t in s.items()}, 3),
    "chexpert, no prefix": ("chexpert", lambda s: in_sequence(s, ""), 3),
    "torchxrayvision": ("torchxrayvision", lambda s: {**s, "op_threshs": torch.tensor([0.25, 0.75])}, 1),
    "torchxrayvision, prefix": (
        "torchxrayvision",
        lambda s: {f"model.{n}": t for n, t in {**s, "op_threshs": torch.tensor([0.25, torch.nan])}.items()},
        1,
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("old_zip", [False, True], ids=["zip", "before zip"])
def test_every_public_format_loads_and_gives_equal_outputs(kind: str, old_zip: bool, tmp_path: Path) -> None:
    style, write, channels = FORMATS[kind]
    model, x = original(channels=channels), batch(3, channels=channels)
    torch.save(write(model.state_dict()), tmp_path / "c.pt", _use_new_zipfile_serialization=not old_zip)
    found = read_classifier_checkpoint(tmp_path / "c.pt")
    assert (found.style, found.outputs, found.config) == (style, 2, model.config)
    same = DenseNet(found.config, outputs=2)
    same.load_state_dict({**same.state_dict(), **found.tensors})
    converted = convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=TWO, style=style)
    loaded = load_classifier(converted.folder)
    assert loaded.spec == converted.spec
    assert loaded.spec.findings == TWO
    with torch.no_grad():
        assert torch.equal(same.eval()(x), model(x))
        torch.testing.assert_close(loaded.model(x), model(x), rtol=0, atol=1e-6)


def test_a_safetensors_file_loads(tmp_path: Path) -> None:
    model = original()
    save_file(model.state_dict(), tmp_path / "c.safetensors")
    assert read_classifier_checkpoint(tmp_path / "c.safetensors").style == "torchvision"


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    torch.save(original().half().state_dict(), tmp_path / "c.pt")
    assert all(
        t.dtype == torch.float32 for t in read_classifier_checkpoint(tmp_path / "c.pt").tensors.values()
    )


def test_operating_points_become_thresholds(tmp_path: Path) -> None:
    state = original(channels=1, outputs=3).state_dict()
    torch.save({**state, "op_threshs": torch.tensor([0.25, 0.5, torch.nan])}, tmp_path / "c.pt")
    found = convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=("Edema", None, "Fracture"))
    spec = load_classifier(tmp_path / "out").spec
    assert spec.thresholds == {"Edema": 0.25}
    assert (spec.channels, spec.normalisation, spec.fit, spec.size_px) == (
        1,
        "minus-1024-to-1024",
        "crop",
        224,
    )
    assert "classifier.* row 1" in found.left_out


def test_outputs_that_are_not_named_are_left_out(tmp_path: Path) -> None:
    model, x = original(outputs=18, channels=1), batch()
    torch.save(model.state_dict(), tmp_path / "c.pt")
    names = [None] * 18
    names[4], names[11] = "Pneumonia", "Edema"  # type: ignore[call-overload]
    convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=names)
    loaded = load_classifier(tmp_path / "out")
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(x), model(x)[:, [4, 11]], rtol=0, atol=1e-6)


def test_the_frame_can_be_said(tmp_path: Path) -> None:
    torch.save(original().state_dict(), tmp_path / "c.pt")
    frame = {"size_px": 64, "fit": "pad"}
    found = convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=TWO, frame=frame)
    assert (found.spec.size_px, found.spec.fit, found.spec.normalisation) == (64, "pad", "imagenet")
    with pytest.raises(InputError, match="frame has 'channels'"):
        convert_classifier(tmp_path / "c.pt", tmp_path / "b", findings=TWO, frame={"channels": 1})


# --- a backbone to begin with ---


def test_a_head_for_imagenet_gives_its_backbone_to_a_new_head(tmp_path: Path) -> None:
    imagenet, x = original(outputs=1000), batch(channels=3)
    torch.save(legacy(imagenet.state_dict()), tmp_path / "c.pth")
    with pytest.raises(InputError, match="1000 outputs, and 2 findings"):
        convert_classifier(tmp_path / "c.pth", tmp_path / "out", findings=TWO)
    spec = tiny_spec(channels=3, normalisation="imagenet")
    model = new_classifier(spec, pretrained=tmp_path / "c.pth", seed=1).eval()
    with torch.no_grad():
        assert torch.equal(model.backbone.pooled(x), imagenet.pooled(x))
    assert model.head.weight.shape == (3, imagenet.config.features)


def test_a_file_without_a_head_is_a_backbone(tmp_path: Path) -> None:
    torch.save(original(outputs=0).state_dict(), tmp_path / "c.pth")
    assert read_classifier_checkpoint(tmp_path / "c.pth").outputs == 0
    new_classifier(tiny_spec(channels=3), pretrained=tmp_path / "c.pth")
    with pytest.raises(InputError, match="no classifier"):
        convert_classifier(tmp_path / "c.pth", tmp_path / "out", findings=TWO)


def test_an_earlier_classifier_is_a_backbone(tmp_path: Path) -> None:
    earlier = tiny_classifier(findings=("Fracture",))
    folder = save_classifier(tmp_path / "earlier", earlier)
    model = new_classifier(tiny_spec(), pretrained=folder, seed=1).eval()
    with torch.no_grad():
        assert torch.equal(model.backbone.pooled(batch()), earlier.backbone.pooled(batch()))
    assert torch.equal(model.head.weight, new_classifier(tiny_spec(), seed=1).head.weight)


@pytest.mark.parametrize(("has", "wants"), [(3, 1), (1, 3)])
def test_equal_channels_give_what_they_gave_before(has: int, wants: int, tmp_path: Path) -> None:
    source = original(channels=has)
    torch.save(source.state_dict(), tmp_path / "c.pt")
    model = new_classifier(tiny_spec(channels=wants), pretrained=tmp_path / "c.pt").eval()
    grey = batch()
    with torch.no_grad():
        before = source.pooled(grey.expand(-1, has, -1, -1))
        torch.testing.assert_close(model.backbone.pooled(grey.expand(-1, wants, -1, -1)), before)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (lambda: original(growth=8).state_dict(), "wrongly shaped"),
        (lambda: original(blocks=(2, 3)).state_dict(), "has unknown"),
        (lambda: original(channels=4).state_dict(), "for 4 channels"),
    ],
)
def test_a_backbone_of_other_sizes_is_refused(state: Callable[[], States], said: str, tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "c.pt")
    with pytest.raises(InputError, match=said):
        new_classifier(tiny_spec(architecture=ARCHITECTURE), pretrained=tmp_path / "c.pt")


# --- files that cannot be used ---


def without(*names: str) -> Callable[[States], States]:
    return lambda state: {name: t for name, t in state.items() if name not in names}


def plus(**changes: Any) -> Callable[[States], States]:
    return lambda state: {**state, **{name.replace("__", "."): value for name, value in changes.items()}}


BAD: list[tuple[Callable[[States], Any], str]] = [
    (without("features.norm5.weight"), r"lacks 1 tensors \(features.norm5.weight\)"),
    (without("classifier.bias"), r"lacks 1 tensors \(classifier.bias\)"),
    (without("classifier.weight"), "lacks 1 tensors .*classifier.weight"),
    (without("features.conv0.weight"), "has 0 tensors whose names end in"),
    (without("features.denseblock1.denselayer1.conv1.weight"), "conv1.weight is missing"),
    (
        without("features.denseblock2.denselayer1.norm1.weight"),
        "lacks .*denseblock2.denselayer1.norm1.weight",
    ),
    (plus(features__extra=torch.zeros(1)), r"has unknown 1 tensors \(features.extra\)"),
    (plus(classifier__bias=torch.zeros(5)), r"classifier.bias \[5\], not \[2\]"),
    (plus(classifier__weight=torch.zeros(2)), "wrongly shaped"),
    (plus(features__norm5__weight=torch.full((20,), torch.inf)), "no finite numbers"),
    (plus(op_threshs=torch.zeros(3)), "there are 2 outputs"),
    (plus(note="hello"), "'note' is no tensor"),
    (lambda s: {"state_dict": {**s, "other.weight": torch.zeros(1), "x": 3}}, "'x' is no tensor"),
    (
        lambda s: {**{f"module.{n}": t for n, t in s.items()}, "ema.weight": torch.zeros(1)},
        "1 do not .'ema.weight'",
    ),
    (
        lambda s: {**{f"a.{n}": t for n, t in s.items()}, **{f"b.{n}": t for n, t in s.items()}},
        "has 2 tensors",
    ),
    (lambda _: [1, 2], "no tensors by name"),
    (lambda _: {}, "no tensors by name"),
    (lambda _: {"state_dict": None}, "no tensors by name"),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said[:30] for _, said in BAD])
def test_tensors_that_do_not_fit_are_named(
    change: Callable[[States], Any], said: str, tmp_path: Path
) -> None:
    torch.save(change(original().state_dict()), tmp_path / "c.pt")
    with pytest.raises(InputError, match=said) as caught:
        read_classifier_checkpoint(tmp_path / "c.pt")
    assert "c.pt" in str(caught.value)


def test_a_whole_pickled_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.save(original(), tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"DenseNet.*whole pickled model.*torch.save\(model.state_dict\(\)"):
        read_classifier_checkpoint(tmp_path / "c.pt")
    torch.save({"state_dict": original().state_dict(), "model": original()}, tmp_path / "d.pt")
    with pytest.raises(InputError, match="whole pickled model"):
        read_classifier_checkpoint(tmp_path / "d.pt")


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("new_zip", [True, False])
def test_no_code_of_a_file_is_run(new_zip: bool, tmp_path: Path) -> None:
    state = {**original().state_dict(), "x": Evil(tmp_path / "harm")}
    torch.save(state, tmp_path / "c.pt", _use_new_zipfile_serialization=new_zip)
    with pytest.raises(InputError, match=r"asks for .*mkdir"):
        read_classifier_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "harm").exists()


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    torch.save(original().state_dict(), tmp_path / "c.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "c.pt").read_bytes()[:-2000])
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "bad.safetensors").write_text("hello")
    for name in ("cut.pt", "text.pt", "empty.pt", "bad.safetensors", "gone.pt"):
        with pytest.raises(InputError, match=name):
            read_classifier_checkpoint(tmp_path / name)
    with pytest.raises(InputError, match="a folder, not a file"):
        read_classifier_checkpoint(tmp_path)


def test_another_style_than_was_asked_for_is_refused(tmp_path: Path) -> None:
    torch.save(original().state_dict(), tmp_path / "c.pt")
    with pytest.raises(InputError, match="of the style torchvision, and torchxrayvision was asked for"):
        read_classifier_checkpoint(tmp_path / "c.pt", style="torchxrayvision")
    with pytest.raises(UnknownNameError, match="Did you mean 'chexpert'"):
        read_classifier_checkpoint(tmp_path / "c.pt", style="chexpert2")


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        (("Edema",), "2 outputs, and 1 findings"),
        (("Edema", "Edema"), "no finding twice"),
        ((None, None), "at least one output"),
        (("Edema", "Hernia"), "Hernia"),
    ],
)
def test_findings_must_fit_the_outputs(findings: tuple[str | None, ...], said: str, tmp_path: Path) -> None:
    torch.save(original().state_dict(), tmp_path / "c.pt")
    with pytest.raises(InputError, match=said):
        convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=findings)
    assert not (tmp_path / "out").exists()


def test_nothing_but_a_classifier_is_replaced_and_only_by_force(tmp_path: Path) -> None:
    torch.save(original().state_dict(), tmp_path / "c.pt")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="is no image classifier"):
        convert_classifier(tmp_path / "c.pt", tmp_path / "mine", findings=TWO, force=True)
    convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=TWO)
    first = load_classifier(tmp_path / "out").digest
    with pytest.raises(OutputError, match="already holds"):
        convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=TWO)
    convert_classifier(tmp_path / "c.pt", tmp_path / "out", findings=TWO, force=True)
    assert load_classifier(tmp_path / "out").digest == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.pt", "mine", "out"]
