"""Images to vectors, by whatever model is at hand: CLIP and SigLIP, a vision model, or a classifier of hilum.

Importing this module imports torch. Source of the use: LLM labeler paper, Ablation Studies (MedCLIP there).
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import ImageError, InputError
from hilum.core.imaging import Image, Pixels
from hilum.models._backbones import _pooled
from hilum.models._classifier_files import SPEC
from hilum.models._neural import safetensors, torch, transformers
from hilum.models.classifier import LoadedClassifier, as_input, load_classifier
from hilum.models.classifier_spec import prepare
from hilum.models.classify import Failed, Progress, Source, read_pixels

Floats = npt.NDArray[np.float32]
Prepared = npt.NDArray[np.float32] | ImageError

_CONFIG, _PROCESSOR = "config.json", "preprocessor_config.json"
_WEIGHTS = "*.safetensors"
_POOLER = "pooler."
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class ImageEmbedder:
    """A model that makes vectors of images.

    `kind`: clip (image features of a CLIP-like model), vision (pooled output of a vision model) or classifier (of a
    hilum classifier, what its head gets). `digest` is the SHA-256 of all files that decide the vectors: equal
    digests, equal vectors. `prepare` makes what the model gets of pixels float32 [1, H, W], `vectors` the vectors
    [B, D] of a batch [B, C, H, W].
    """

    kind: str
    name: str
    digest: str
    prepare: Callable[[Pixels], Floats]
    vectors: Callable[[Floats], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors of unit length, float32 [N, D], of the images that could be used, and what became of the others.

    `places` says where among the sources each image stood.
    """

    vectors_ND: Floats
    ids: tuple[str, ...]
    places: npt.NDArray[np.intp]
    failed: tuple[Failed, ...]


def load_embedder(source: str | Path, *, device: str = "auto") -> ImageEmbedder:
    """The model in a folder: a hilum classifier, or what transformers' AutoModel and AutoImageProcessor can load.

    Another name is taken for a hub id. Weights must be safetensors; no code of the folder is run. `device` is auto,
    cpu, cuda or cuda:N. Raises InputError when it is no model of images, or a file is missing or broken.
    """
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    path = Path(source)
    if path.is_file():
        raise InputError(f"{path} is a file, and a model of images is a folder. Next step: give its folder.")
    if path.is_dir() and (path / SPEC).is_file():
        return _of_classifier(load_classifier(path, device=where))
    if path.is_dir() and not (path / _CONFIG).is_file():
        held = ", ".join(sorted(one.name for one in path.iterdir())[:_SHOWN]) or "nothing"
        raise InputError(
            f"{path} is no model of images: it has neither {SPEC} nor {_CONFIG} (it has {held}). Next step: a folder "
            "that hilum train classifier or save_pretrained wrote (model and image processor)."
        )
    return _of_transformers(str(source), where)


def embed_images(
    embedder: ImageEmbedder,
    sources: Sequence[Source],
    *,
    ids: Sequence[str] | None = None,
    batch_size: int = 16,
    workers: int = 2,
    progress: Progress | None = None,
) -> Embeddings:
    """Vectors of images: files, bytes of files, images of studies, or pixels float32 [1, H, W] in [0, 1].

    `ids` names them in messages, else their place from 1. `workers` threads read and prepare a batch while the model
    has the one before. An image that cannot be used is in `failed`, with the reason, and costs no other. Vectors are
    the same whatever the batches, up to float noise of about 1e-6.

    Raises InputError for options that cannot be used, or vectors of images that differ in length.
    """
    names = tuple(ids) if ids is not None else tuple(f"image {place + 1}" for place in range(len(sources)))
    if len(names) != len(sources) or batch_size < 1 or workers < 1:
        raise InputError(
            f"{len(names)} ids for {len(sources)} images, batch_size {batch_size}, workers {workers}: there must be as "
            "many ids as images, and the others at least 1."
        )
    parts: list[Floats] = []
    kept: list[int] = []
    failed: list[Failed] = []
    done = 0
    for batch in _prepared(embedder, sources, names, batch_size=batch_size, workers=workers):
        good = [(done + place, one) for place, one in enumerate(batch) if not isinstance(one, ImageError)]
        failed += [
            Failed(done + place, names[done + place], str(one))
            for place, one in enumerate(batch)
            if isinstance(one, ImageError)
        ]
        for place, vector in zip(
            [p for p, _ in good], _vectors(embedder, [one for _, one in good]), strict=True
        ):
            if vector is None:
                failed.append(Failed(place, names[place], "the model makes no finite vector of it"))
            else:
                parts.append(vector)
                kept.append(place)
        done += len(batch)
        if progress is not None:
            progress(done, len(sources))
    vectors_ND = np.stack(parts) if parts else np.empty((0, 0), np.float32)
    return Embeddings(
        vectors_ND, tuple(names[p] for p in kept), np.array(kept, dtype=np.intp), tuple(sorted(failed))
    )


def image_digest(source: Source) -> str:
    """SHA-256, in hex, of the bytes of an image's file, or of its pixels. Raises ImageError when there is none."""
    digest = hashlib.sha256()
    if isinstance(source, Image) and source.path is not None:
        source = source.path
    if isinstance(source, bytes):
        digest.update(source)
    elif isinstance(source, str | Path):
        try:
            with Path(source).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ImageError(f"{source} cannot be read: {error.strerror or error}.") from error
    else:
        pixels = read_pixels(source)
        digest.update(f"{pixels.dtype} {pixels.shape}\n".encode())
        digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _prepared(
    embedder: ImageEmbedder, sources: Sequence[Source], names: Sequence[str], *, batch_size: int, workers: int
) -> Iterator[list[Prepared]]:
    def one(place: int) -> Prepared:
        try:
            return embedder.prepare(read_pixels(sources[place], name=names[place]))
        except ImageError as error:
            return error

    starts = range(0, len(sources), batch_size)
    with ThreadPoolExecutor(workers) as pool:
        waiting = None
        for start in starts:
            following = pool.map(one, range(start, min(start + batch_size, len(sources))))
            if waiting is not None:
                yield list(waiting)
            waiting = following
        if waiting is not None:
            yield list(waiting)


def _vectors(embedder: ImageEmbedder, batch: Sequence[Floats]) -> list[Floats | None]:
    if not batch:
        return []
    with torch.inference_mode():
        found_BD = embedder.vectors(np.stack(batch)).float().cpu().numpy().astype(np.float64)
    lengths_B = np.linalg.norm(found_BD, axis=1)
    usable = np.isfinite(lengths_B) & (lengths_B > 0)
    return [
        (vector / length).astype(np.float32) if ok else None
        for vector, length, ok in zip(found_BD, lengths_B, usable, strict=True)
    ]


def _of_classifier(loaded: LoadedClassifier) -> ImageEmbedder:
    def vectors(pixels_BCHW: Floats) -> torch.Tensor:
        found: torch.Tensor = loaded.model.backbone.pooled(as_input(pixels_BCHW, loaded.device))
        return found

    return ImageEmbedder(
        "classifier", loaded.folder.name, loaded.digest, lambda pixels: prepare(pixels, loaded.spec), vectors
    )


def _of_transformers(source: str, device: str) -> ImageEmbedder:
    model, processor = _loaded(source)
    clip = callable(getattr(model, "get_image_features", None))
    if not clip and "pixel_values" not in inspect.signature(model.forward).parameters:
        raise InputError(
            f"{source} is a {type(model).__name__}, which takes no images. Next step: a CLIP-like or a vision model, "
            "or a hilum classifier."
        )
    try:
        model = model.float().eval().to(device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            f"The device {device!r} cannot be used: {' '.join(str(error).split())[:200]}. Next step: cpu, or a device "
            "that torch sees."
        ) from error

    def prepared(pixels: Pixels) -> Floats:
        grey_HW = np.rint(np.clip(pixels[0], 0, 1) * 255).astype(np.uint8)
        found = processor(
            images=[np.repeat(grey_HW[:, :, None], 3, axis=2)],
            return_tensors="np",
            input_data_format="channels_last",
        )
        return np.asarray(found["pixel_values"][0], dtype=np.float32)

    def vectors(pixels_BCHW: Floats) -> torch.Tensor:
        pixels = torch.from_numpy(pixels_BCHW).to(device)
        found: Any = model.get_image_features(pixel_values=pixels) if clip else model(pixel_values=pixels)
        return found if isinstance(found, torch.Tensor) else _pooled(found)

    return ImageEmbedder(
        "clip" if clip else "vision", Path(source).name, _digest(source, model), prepared, vectors
    )


def _loaded(source: str) -> tuple[Any, Any]:
    local = Path(source).is_dir()
    try:
        model, told = transformers.AutoModel.from_pretrained(
            source,
            local_files_only=local,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        processor = transformers.AutoImageProcessor.from_pretrained(
            source, local_files_only=local, trust_remote_code=False
        )
    except (
        OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, AttributeError,
        safetensors.SafetensorError,
    ) as error:  # fmt: skip
        nowhere = "" if local else f"There is no folder {source}, and the name was looked for on the hub. "
        why = " ".join(str(error).split())[:300].rstrip(".")
        raise InputError(
            f"{nowhere}{source} is no model of images that transformers can load: {why}. "
            f"Next step: a folder that save_pretrained wrote, with {_CONFIG}, model.safetensors and {_PROCESSOR}."
        ) from error
    missing = sorted(name for name in told["missing_keys"] if not name.startswith(_POOLER))
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} tensors of its own model ({', '.join(missing[:_SHOWN])}). Next step: check "
            "that the folder is whole."
        )
    return model, processor


def _digest(source: str, model: Any) -> str:
    """SHA-256 over weights, configuration and processor of a folder; of a hub id, over its name and revision."""
    digest = hashlib.sha256()
    folder = Path(source)
    if not folder.is_dir():
        digest.update(json.dumps([source, getattr(model.config, "_commit_hash", None)]).encode())
        return digest.hexdigest()
    names = [_CONFIG, _PROCESSOR, *sorted(one.name for one in folder.glob(_WEIGHTS))]
    for name in names:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                digest.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
