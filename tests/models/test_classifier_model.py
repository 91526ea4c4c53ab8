from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_image_classifier import (
    ARCHITECTURE,
    FINDINGS,
    HF_CONFIGS,
    batch,
    convnext_config,
    hf_classifier,
    picture,
    resnet_config,
    tiny_classifier,
    tiny_spec,
    vit_config,
)
from transformers import AutoModel, ResNetModel, ViTModel

from hilum.core.errors import ImageError, InputError, OutputError, UnknownNameError
from hilum.core.imaging import Image
from hilum.models.classifier import (
    ImageClassifier,
    as_input,
    load_classifier,
    new_classifier,
    save_classifier,
)
from hilum.models.classifier_spec import (
    DENSENET121,
    SMALL_DENSENET,
    ClassifierSpec,
    log_odds,
    prepare,
    probabilities,
)
from hilum.models.classify import predict_images
from hilum.models.densenet import DenseNet, DenseNetConfig


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# --- the spec ---


@pytest.mark.parametrize(
    "spec",
    [
        ClassifierSpec(FINDINGS),
        tiny_spec(outputs="three", temperatures=(1.0, 2.0, 0.5), thresholds={"Edema": 0.25}),
        tiny_spec(architecture="some/backbone", fit="crop"),
        tiny_spec(architecture=SMALL_DENSENET),
    ],
)
def test_a_spec_comes_back_from_json(spec: ClassifierSpec) -> None:
    text = json.dumps(spec.to_json())
    assert ClassifierSpec.from_json(text) == spec
    assert ClassifierSpec.from_json(json.loads(text)).to_json() == spec.to_json()


def test_the_default_is_densenet121_at_320_px() -> None:
    spec = ClassifierSpec(FINDINGS)
    assert (spec.architecture, spec.size_px, spec.channels) == (dict(DENSENET121), 320, 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"findings": ()}, "at least one finding"),
        ({"findings": ("Edema", "Edema")}, "none twice"),
        ({"findings": ("Hernia",)}, "Hernia"),
        ({"vocabulary": "icd"}, "no vocabulary 'icd'"),
        ({"fit": "stretch"}, "no fit 'stretch'"),
        ({"normalisation": "zscore"}, "no normalisation"),
        ({"normalisation": "imagenet"}, "gives 3"),
        ({"outputs": "four"}, "binary, three"),
        ({"channels": 2}, "channels is 2"),
        ({"size_px": 31}, "allowed: 32 to 4096"),
        ({"size_px": 64.0}, "size_px is 64.0"),
        ({"architecture": {"kind": "resnet"}}, "is not known"),
        ({"architecture": {**ARCHITECTURE, "depth": 3}}, "is not known"),
        ({"architecture": {**ARCHITECTURE, "growth": 0}}, "whole numbers from 1"),
        ({"architecture": {**ARCHITECTURE, "blocks": 6}}, "whole numbers from 1"),
        ({"architecture": " "}, "is empty"),
        ({"temperatures": (1.0,)}, "3 numbers above 0"),
        ({"temperatures": (1.0, 0.0, 1.0)}, "3 numbers above 0"),
        ({"thresholds": {"Fracture": 0.5}}, "Fracture"),
        ({"thresholds": {"Edema": 1.5}}, "from 0 to 1"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tiny_spec(**changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.pop("fit"), "lacks 'fit'"),
        (lambda f: f.update(colour=1), "unknown field 'colour'"),
        (lambda f: f.update(findings="Edema"), "findings"),
        (lambda f: f.update(findings=[1]), "no str"),
        (lambda f: f.update(temperatures=[True, 1, 1]), "temperatures"),
        (lambda f: f.update(thresholds={"Edema": "high"}), "Edema"),
        (lambda f: f.update(fit=3), "fit"),
        (lambda f: f.update(size_px="32"), "size_px"),
        (lambda f: f.update(architecture=7), "architecture"),
    ],
)
def test_json_of_a_wrong_form_is_refused(change: Callable[[dict[str, Any]], Any], said: str) -> None:
    fields = tiny_spec().to_json()
    change(fields)
    with pytest.raises(InputError, match=said) as caught:
        ClassifierSpec.from_json(fields, where="its file")
    assert "its file" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="JSON"):
        ClassifierSpec.from_json(text)


def test_specs_need_no_torch() -> None:
    code = (
        "import sys; import hilum.models.classifier_spec; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- probabilities ---


def test_one_logit_is_a_logistic_function_by_its_temperature() -> None:
    logits = np.array([[0.0, 2.0, -3.0], [800.0, -800.0, 1.0]])
    plain = probabilities(logits, tiny_spec())
    np.testing.assert_allclose(plain, torch.sigmoid(torch.tensor(logits)).numpy(), rtol=1e-12)
    warm = tiny_spec(temperatures=(1.0, 2.0, 4.0))
    expected = torch.sigmoid(torch.tensor(logits / np.array([1.0, 2.0, 4.0]))).numpy()
    np.testing.assert_allclose(probabilities(logits, warm), expected, rtol=1e-12)
    np.testing.assert_allclose(probabilities(logits, warm, calibrated=False), plain)


def test_three_logits_are_a_softmax_over_negative_and_positive_alone() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 9))
    spec = tiny_spec(outputs="three")
    pairs = torch.tensor(logits).reshape(4, 3, 3)[..., :2].softmax(-1)[..., 1]
    np.testing.assert_allclose(probabilities(logits, spec), pairs.numpy(), rtol=1e-12)
    assert (spec.classes, spec.columns) == (3, 9)


def test_logits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="3 columns"):
        log_odds(np.zeros((2, 4)), tiny_spec())


def test_images_are_prepared_as_the_spec_says() -> None:
    found = prepare(picture(), tiny_spec(normalisation="minus-one-to-one", channels=3, fit="squash"))
    assert (found.shape, found.dtype) == ((3, 32, 32), np.float32)
    assert -1.0 <= found.min() < 0.0 < found.max() <= 1.0
    np.testing.assert_array_equal(found[0], found[2])
    assert prepare(picture(), tiny_spec(normalisation="imagenet", channels=3)).shape == (3, 32, 32)


# --- the model ---


def test_a_seed_decides_the_weights_and_torch_keeps_its_state() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (new_classifier(tiny_spec(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, tensor in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert first.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in first.parameters())


def test_three_outputs_stand_by_finding() -> None:
    model = tiny_classifier(outputs="three")
    logits = model(batch())
    assert logits.shape == (2, 9)
    assert torch.equal(model.split(logits)[:, 1], logits[:, 3:6])


def test_logits_stay_float32_under_mixed_precision() -> None:
    model = tiny_classifier()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = model(batch())
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, model(batch()), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_input_has_its_channels_last_in_memory_and_the_same_numbers(channels: int) -> None:
    pixels = batch(2, channels=channels).numpy()
    found = as_input(pixels)
    np.testing.assert_array_equal(found.numpy(), pixels)
    assert found.stride() == (32 * 32 * channels, 1, 32 * channels, channels)


def test_a_written_classifier_gives_equal_outputs(tmp_path: Path) -> None:
    spec = {"temperatures": (1.0, 2.0, 0.5), "thresholds": {"Edema": 0.25}}
    model = tiny_classifier(**spec)
    state = torch.random.get_rng_state()
    loaded = load_classifier(save_classifier(tmp_path / "new" / "c", model))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert loaded.spec == model.spec == tiny_spec(**spec)
    assert not loaded.model.training
    assert loaded.device.type == "cpu"
    with torch.no_grad():
        assert torch.equal(loaded.model(batch()), model(batch()))


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    model = tiny_classifier()
    first = save_classifier(tmp_path / "a", model)
    counted = tiny_classifier()
    counted.backbone.features.norm0.num_batches_tracked += 7
    reordered = counted.to(memory_format=torch.channels_last)
    second = save_classifier(tmp_path / "b", reordered)
    third = save_classifier(tmp_path / "c", load_classifier(first).model)
    for name in ("model.safetensors", "hilum_classifier.json"):
        data = (first / name).read_bytes()
        assert (second / name).read_bytes() == data
        assert (third / name).read_bytes() == data
    digests = {load_classifier(folder).digest for folder in (first, second, third)}
    assert len(digests) == 1
    warmer = save_classifier(tmp_path / "d", tiny_classifier(temperatures=(2.0, 2.0, 2.0)))
    assert load_classifier(warmer).digest not in digests


def test_the_file_of_a_densenet_has_torchvisions_names(tmp_path: Path) -> None:
    model = tiny_classifier()
    tensors = load_file(save_classifier(tmp_path / "c", model) / "model.safetensors")
    plain = DenseNet(DenseNetConfig((2, 2), 4, 8, 2, 1), outputs=3)
    plain.load_state_dict(tensors)
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(batch()), model(batch()), rtol=0, atol=1e-6)


# --- backbones of transformers ---


@pytest.mark.parametrize("kind", HF_CONFIGS)
def test_a_backbone_of_transformers_gives_its_pooled_output_to_the_head(kind: str, tmp_path: Path) -> None:
    model = hf_classifier(kind)
    x = batch()
    with torch.no_grad():
        pooled = model.backbone.model(pixel_values=x).pooler_output.flatten(1)
        expected = torch.nn.functional.linear(pooled, model.head.weight, model.head.bias)
        torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-6)
        folder = save_classifier(tmp_path / "c", model)
        assert torch.equal(load_classifier(folder).model(x), model(x))
    again = save_classifier(tmp_path / "again", load_classifier(folder).model)
    for name in ("config.json", "model.safetensors", "hilum_classifier.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("kind", HF_CONFIGS)
def test_a_backbone_of_transformers_learns(kind: str) -> None:
    model = new_classifier(tiny_spec(architecture=kind), config=HF_CONFIGS[kind]())
    model(batch(3)).square().sum().backward()
    assert all(p.grad is not None for p in model.head.parameters())
    assert any(p.grad is not None and bool(p.grad.any()) for p in model.backbone.parameters())


def test_a_folder_of_transformers_is_a_pretrained_backbone(tmp_path: Path) -> None:
    source = ResNetModel(resnet_config()).eval()
    source.save_pretrained(tmp_path / "pretrained" / "tiny")
    path = str(tmp_path / "pretrained" / "tiny")
    model = new_classifier(tiny_spec(architecture=path), seed=4).eval()
    assert model.spec.architecture == "tiny"
    with torch.no_grad():
        expected = source(pixel_values=batch()).pooler_output.flatten(1)
        assert torch.equal(model.backbone.pooled(batch()), expected)
    named = new_classifier(tiny_spec(architecture="some/name"), pretrained=path, seed=4)
    assert torch.equal(named.head.weight, model.head.weight)
    assert named.spec.architecture == "some/name"


@pytest.mark.parametrize("kind", HF_CONFIGS)
def test_an_earlier_classifier_gives_its_backbone_to_a_new_head(kind: str, tmp_path: Path) -> None:
    earlier = hf_classifier(kind, seed=6, findings=("Fracture",))
    folder = save_classifier(tmp_path / "earlier", earlier)
    model = new_classifier(tiny_spec(architecture=kind), pretrained=folder).eval()
    assert model.head.weight.shape[0] == 3
    with torch.no_grad():
        assert torch.equal(model.backbone.pooled(batch()), earlier.backbone.pooled(batch()))


def test_an_earlier_classifier_of_another_architecture_is_refused(tmp_path: Path) -> None:
    densenet = save_classifier(tmp_path / "densenet", tiny_classifier())
    with pytest.raises(InputError, match="is a DenseNet"):
        new_classifier(tiny_spec(architecture="vit"), pretrained=densenet)
    vit = save_classifier(tmp_path / "vit", hf_classifier("vit"))
    with pytest.raises(InputError, match="does not fit the model"):
        new_classifier(tiny_spec(), pretrained=vit)


def test_a_pooler_that_a_file_lacks_is_drawn_from_the_seed(tmp_path: Path) -> None:
    ViTModel(vit_config(), add_pooling_layer=False).save_pretrained(tmp_path / "vit")
    spec = tiny_spec(architecture=str(tmp_path / "vit"))
    first, again = new_classifier(spec, seed=1), new_classifier(spec, seed=1)
    assert torch.equal(first.backbone.model.pooler.dense.weight, again.backbone.model.pooler.dense.weight)


def test_images_of_another_size_get_interpolated_positions() -> None:
    model = new_classifier(tiny_spec(architecture="vit", size_px=48), config=vit_config())
    assert model(batch(size=48)).shape == (2, 3)


@pytest.mark.parametrize(
    ("spec", "config", "said"),
    [
        ({"architecture": "x", "channels": 3}, vit_config, "takes 1 channels"),
        (
            {"architecture": "x"},
            lambda: vit_config(patch_size=64, image_size=64),
            "cannot use images of 32 px",
        ),
    ],
)
def test_backbones_that_do_not_fit_images_are_refused(
    spec: dict[str, Any], config: Callable[[], Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        new_classifier(tiny_spec(**spec), config=config())


def test_a_folder_that_is_no_backbone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no backbone that transformers can load"):
        new_classifier(tiny_spec(architecture=str(tmp_path)))


def test_a_backbone_that_lacks_tensors_is_refused(tmp_path: Path) -> None:
    ResNetModel(resnet_config()).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: t for name, t in tensors.items() if "embedder" not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks .* of its own model"):
        new_classifier(tiny_spec(architecture=str(tmp_path)))


def test_a_configuration_and_weights_at_once_are_refused() -> None:
    with pytest.raises(InputError, match="not both"):
        new_classifier(tiny_spec(architecture="x"), pretrained="y", config=vit_config())


def test_sparing_memory_changes_no_gradient_of_a_transformer() -> None:
    found = []
    for sparing in (False, True):
        model = new_classifier(tiny_spec(architecture="x"), config=vit_config(), seed=2)
        model.spare_memory(sparing)
        model(batch()).square().sum().backward()
        found.append([p.grad for p in model.parameters()])
    for plain, spared in zip(*found, strict=True):
        torch.testing.assert_close(spared, plain, rtol=0, atol=1e-6)


def test_backbones_that_cannot_spare_memory_say_so() -> None:
    model = hf_classifier("resnet")
    assert not AutoModel.from_config(resnet_config()).supports_gradient_checkpointing
    model.spare_memory(False)
    with pytest.raises(InputError, match="no gradient checkpointing"):
        model.spare_memory()


def test_a_densenet_spares_memory() -> None:
    model = new_classifier(tiny_spec())
    model.spare_memory()
    model(batch()).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


# --- folders that are broken ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_classifier(tmp_path / "classifier", tiny_classifier())


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("features.norm5.weight"), r"lacks 1 tensors \(features.norm5.weight\)"),
        (lambda t: t.pop("classifier.bias"), "lacks .*classifier.bias"),
        (lambda t: t.update(extra=torch.zeros(2)), r"has unknown 1 tensors \(extra\)"),
        (lambda t: t.update({"classifier.bias": torch.zeros(4)}), r"classifier.bias \[4\], not \[3\]"),
        (lambda t: t.update({"classifier.bias": torch.full((3,), torch.nan)}), "no finite numbers"),
        (lambda t: t.update({"classifier.bias": torch.zeros(3, dtype=torch.int64)}), "no finite numbers"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], Any], said: str
) -> None:
    edit_tensors(folder, change)
    with pytest.raises(InputError, match=said):
        load_classifier(folder)


def test_a_folder_that_lacks_a_file_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"lacks model.safetensors"):
        load_classifier(folder)
    with pytest.raises(InputError, match="no folder"):
        load_classifier(folder / "other")
    with pytest.raises(InputError, match="is a file"):
        load_classifier(folder / "hilum_classifier.json")
    with pytest.raises(InputError, match="hilum train classifier"):
        load_classifier(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("{}", "field 'format'"),
        ('{"format": "hilum image classifier", "format_version": 2}', "format version 2"),
        ('{"format": "hilum image classifier", "format_version": 1}', "lacks 'findings'"),
    ],
)
def test_a_spec_file_that_cannot_be_used_is_named(folder: Path, text: str, said: str) -> None:
    (folder / "hilum_classifier.json").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        load_classifier(folder)
    assert "hilum_classifier.json" in str(caught.value)


def test_broken_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="cannot be read"):
        load_classifier(folder)


def test_a_backbone_of_transformers_needs_its_configuration(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "c", hf_classifier("convnext"))
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read"):
        load_classifier(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"lacks config.json"):
        load_classifier(folder)


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        load_classifier(folder, device="warp:7")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_classifier(tmp_path / "file" / "c", tiny_classifier())


def test_a_densenet_written_over_a_backbone_leaves_no_configuration(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "c", hf_classifier("vit"))
    save_classifier(folder, tiny_classifier())
    assert sorted(p.name for p in folder.iterdir()) == ["hilum_classifier.json", "model.safetensors"]


def test_convnext_has_places_of_its_own() -> None:
    assert convnext_config().hidden_sizes == [8, 16]
    pooled, activations = hf_classifier("convnext").backbone.activations(batch())
    assert pooled.shape == (2, 16)
    assert activations.dim() == 4


# --- prediction ---


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("loaded") / "c"
    return load_classifier(save_classifier(folder, tiny_classifier(temperatures=(1.0, 2.0, 3.0))))


def test_predictions_are_those_of_the_model_whatever_the_batches(loaded: Any) -> None:
    pictures = [picture(seed, height=30 + seed) for seed in range(7)]
    x = torch.from_numpy(np.stack([prepare(one, loaded.spec) for one in pictures]))
    with torch.no_grad():
        expected = torch.sigmoid(loaded.model(x) / torch.tensor([1.0, 2.0, 3.0])).numpy()
    told: list[tuple[int, int]] = []
    found = predict_images(loaded, pictures, progress=lambda done, of: told.append((done, of)), batch_size=3)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert found.ids == tuple(f"image {k}" for k in range(1, 8))
    one = predict_images(loaded, pictures, batch_size=1, workers=3)
    np.testing.assert_allclose(one.probabilities, expected, atol=1e-6)
    half = predict_images(loaded, pictures, precision="bfloat16")
    np.testing.assert_allclose(half.probabilities, expected, atol=0.05)


def test_bad_images_cost_no_good_ones(loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    image = Image("film 3", pixels=picture(3))
    sources = [picture(1), tmp_path / "bad.png", tmp_path / "gone.png", image, Image("empty"), b"x"]
    found = predict_images(loaded, sources, batch_size=2)
    assert found.ids == ("image 1", "film 3")
    assert found.places.tolist() == [0, 3]
    assert [one.place for one in found.failed] == [1, 2, 4, 5]
    assert found.failed[0].id == str(tmp_path / "bad.png")
    assert "bad.png" in found.failed[0].why
    good = predict_images(loaded, [picture(1), image])
    np.testing.assert_allclose(found.probabilities, good.probabilities, atol=1e-6)
    with pytest.raises(ImageError, match=r"bad.png"):
        predict_images(loaded, sources, on_error="raise")


def test_nothing_is_read_far_ahead(loaded: Any) -> None:
    class Counted(list[Any]):
        seen = 0

        def __getitem__(self, place: Any) -> Any:
            Counted.seen = max(Counted.seen, place)
            return super().__getitem__(place)

    waiting: list[int] = []
    sources = Counted([picture(k) for k in range(40)])
    ids = [str(k) for k in range(40)]
    predict_images(
        loaded,
        sources,
        ids=ids,
        batch_size=2,
        workers=1,
        progress=lambda done, _: waiting.append(Counted.seen - done),
    )
    assert max(waiting) <= 5


def test_predictions_are_a_matrix_with_the_findings(loaded: Any) -> None:
    found = predict_images(loaded, [picture(1), picture(2)], ids=["a", "b"]).matrix("tiny")
    assert (found.source, found.findings, found.ids) == ("tiny", FINDINGS, ("a", "b"))
    assert found.column("Edema").shape == (2,)


def test_no_images_give_no_predictions(loaded: Any) -> None:
    found = predict_images(loaded, [])
    assert found.probabilities.shape == (0, 3)
    assert found.logits.shape == (0, 3)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"on_error": "ignore"}, UnknownNameError),
        ({"precision": "float8"}, UnknownNameError),
        ({"batch_size": 0}, InputError),
        ({"workers": 0}, InputError),
        ({"ids": ["a", "b"]}, InputError),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    loaded: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        predict_images(loaded, [picture()], **options)


def test_the_type_of_a_model_is_public() -> None:
    assert isinstance(tiny_classifier(), ImageClassifier)
    assert replace(tiny_spec(), size_px=64).size_px == 64
