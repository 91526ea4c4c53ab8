from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tiny_image_classifier import stirred, tiny_classifier

from hilum.core.errors import InputError
from hilum.core.imaging import Image
from hilum.core.rng import rng_for
from hilum.models.classifier import as_input, load_classifier, save_classifier
from hilum.models.classifier_spec import prepare
from hilum.models.image_embedding import embed_images, image_digest, load_embedder

TEXT = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 16,
}  # fmt: skip
SIZES = {"size": {"height": 32, "width": 32}, "do_center_crop": False}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("embedders")
    torch.manual_seed(0)
    made = {
        "clip": transformers.CLIPModel(
            transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=8)
        ),
        "siglip": transformers.SiglipModel(transformers.SiglipConfig(text_config=TEXT, vision_config=VISION)),
        "dinov2": transformers.Dinov2Model(
            transformers.Dinov2Config(
                hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
            )
        ),
    }
    for name, model in made.items():
        model.save_pretrained(home / name)
        transformers.ViTImageProcessor(**{**SIZES, "do_center_crop": None}).save_pretrained(home / name)
    save_classifier(home / "classifier", stirred(tiny_classifier()))
    return {name: home / name for name in (*made, "classifier")}


def pictures(count: int, *, seed: int = 0) -> list[np.ndarray]:
    rng = rng_for(seed, "pictures")
    return [rng.random((1, 40, 48), dtype=np.float32) for _ in range(count)]


@pytest.mark.parametrize(
    ("name", "kind", "dims"),
    [("clip", "clip", 8), ("siglip", "clip", 16), ("dinov2", "vision", 16), ("classifier", "classifier", 10)],
)
def test_any_model_gives_vectors_of_unit_length_whatever_the_batches(
    folders: dict[str, Path], name: str, kind: str, dims: int
) -> None:
    embedder = load_embedder(folders[name], device="cpu")
    one_by_one = embed_images(embedder, pictures(5), batch_size=1, workers=1)
    together = embed_images(embedder, pictures(5), batch_size=4)
    assert embedder.kind == kind
    assert together.vectors_ND.shape[0] == 5
    assert name == "classifier" or together.vectors_ND.shape[1] == dims
    assert np.allclose(np.linalg.norm(together.vectors_ND, axis=1), 1, atol=1e-6)
    assert np.allclose(together.vectors_ND, one_by_one.vectors_ND, atol=1e-5)
    assert together.ids == ("image 1", "image 2", "image 3", "image 4", "image 5")


def test_the_features_of_a_clip_model_are_those_of_transformers(folders: dict[str, Path]) -> None:
    model = transformers.AutoModel.from_pretrained(folders["clip"]).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folders["clip"])
    [picture] = pictures(1)
    rgb = np.repeat(np.rint(picture[0] * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    with torch.no_grad():
        vision = model.vision_model(**processor(images=[rgb], return_tensors="pt")).pooler_output
        wanted = model.visual_projection(vision)[0].numpy()
    found = embed_images(load_embedder(folders["clip"], device="cpu"), [picture]).vectors_ND[0]
    assert np.allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)


def test_a_classifier_gives_what_its_head_gets(folders: dict[str, Path]) -> None:
    loaded = load_classifier(folders["classifier"])
    [picture] = pictures(1)
    with torch.no_grad():
        wanted = loaded.model.backbone.pooled(as_input(prepare(picture, loaded.spec)[None]))[0].numpy()
    embedder = load_embedder(folders["classifier"], device="cpu")
    assert embedder.digest == loaded.digest
    found = embed_images(embedder, [picture]).vectors_ND[0]
    assert np.allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)


def test_a_damaged_image_is_listed_and_costs_no_other(folders: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG no picture")
    first, last = pictures(2)
    sources = [first, broken, Image("nothing"), last]
    embedder = load_embedder(folders["classifier"], device="cpu")
    found = embed_images(embedder, sources, ids=["a", "b", "c", "d"], batch_size=2)
    assert found.ids == ("a", "d")
    assert found.places.tolist() == [0, 3]
    assert [(one.place, one.id) for one in found.failed] == [(1, "b"), (2, "c")]
    assert "broken.png" in found.failed[0].why
    assert np.allclose(found.vectors_ND, embed_images(embedder, [first, last]).vectors_ND, atol=1e-6)


def test_no_usable_image_gives_no_vector_and_no_error(folders: dict[str, Path]) -> None:
    found = embed_images(load_embedder(folders["classifier"], device="cpu"), [Image("nothing")])
    assert found.vectors_ND.shape == (0, 0)
    assert len(found.failed) == 1


def test_digests_are_of_content(tmp_path: Path, folders: dict[str, Path]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    assert (
        image_digest(tmp_path / "a") == image_digest(Image("x", path=tmp_path / "b")) == image_digest(b"same")
    )
    one, other = pictures(2)
    assert image_digest(one) == image_digest(Image("x", pixels=one.copy())) != image_digest(other)
    digests = {load_embedder(folder, device="cpu").digest for folder in folders.values()}
    assert len(digests) == len(folders)


def test_what_is_no_model_of_images_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither hilum_classifier\.json nor config\.json"):
        load_embedder(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        load_embedder(tmp_path / "file")
    bert = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=20
    )
    transformers.BertModel(bert).save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="no model of images that transformers can load"):
        load_embedder(tmp_path / "bert")
    transformers.ViTImageProcessor().save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="takes no images"):
        load_embedder(tmp_path / "bert")
    (tmp_path / "bert" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="no model of images"):
        load_embedder(tmp_path / "bert")
