"""What turns texts into logits for a neural labeler: torch, or ONNX Runtime where that is what there is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.models.encoder_spec import EncoderSpec

if TYPE_CHECKING:
    from hilum.labelers._neural import NeuralLabeler


FLOAT32, INT8 = "float32", "int8"
TORCH_WEIGHTS = "model.safetensors"


class Read(NamedTuple):
    """The logits [W, C] of the W windows of one text, and whether its end was cut off."""

    logits: npt.NDArray[np.float32]
    cut: bool = False


@runtime_checkable
class Engine(Protocol):
    """Texts, already prepared, to logits; `digest` names the weights, `precision` how they are worked with."""

    spec: EncoderSpec
    digest: str
    precision: str

    def logits(self, texts: Sequence[str]) -> list[Read]:
        """One `Read` per text, in order."""
        ...


def load_engine(options: NeuralLabeler) -> Engine:
    """The engine of a labeler's options. Raises InputError for weights or a device that cannot be used.

    ONNX Runtime works where an exported model of the wanted precision lies in the folder and torch would not be
    better: for int8, for a labeler that prefers it, and without torch or without its weights.
    """
    given = options.weights
    if isinstance(given, Engine):
        return given
    if isinstance(given, (str, Path)):
        _check_folder(Path(given))
        exported = _exported(Path(given), options)
        if exported is not None:
            return PredictEngine(exported, options)
        given = _loaded(given, options)
    return PredictEngine(given, options)


class PredictEngine:
    """`models.predict` on an encoder of torch or ONNX Runtime."""

    def __init__(self, encoder: Any, options: NeuralLabeler) -> None:
        from hilum.models.predict import predict  # noqa: PLC0415  (loads NumPy)

        own = getattr(encoder, "precision", None)
        self._encoder = encoder
        self._predict: Any = partial(
            predict,
            batch_size=None if options.batch_size is None else int(options.batch_size),
            precision=options.precision if own is None else None,
            long=options.long,
        )
        self._predict(encoder, [""])  # so that an option that cannot be used is told now
        self.spec: EncoderSpec = encoder.spec
        self.digest: str = encoder.digest
        self.tokenizer: Any = getattr(encoder, "tokenizer", None)
        self.precision: str = own or options.precision or FLOAT32

    def logits(self, texts: Sequence[str]) -> list[Read]:
        """One `Read` per text, in order; each text is read once, however often it is there."""
        found = self._predict(self._encoder, texts)
        return list(map(Read, found.logits, found.cut_N.tolist()))


def _exported(folder: Path, options: NeuralLabeler) -> Any:
    """The exported model to use, or None when torch is to do it."""
    from hilum.models.onnx_model import FILES, OnnxEncoder  # noqa: PLC0415  (loads NumPy)

    torch_can = find_spec("torch") is not None and (folder / TORCH_WEIGHTS).is_file()
    wanted = options.precision or options.prefers
    if options.precision is None and not torch_can and not (folder / FILES[FLOAT32]).is_file():
        wanted = INT8
    if wanted not in FILES or not (folder / FILES[wanted]).is_file():
        return None
    on_gpu = options.device not in ("auto", "cpu")
    if torch_can and (wanted != INT8 or on_gpu):
        return None
    if on_gpu:
        raise InputError(
            f"{folder} has an exported model alone, which runs on the processor, and --device {options.device} was "
            "asked for. Next step: --device cpu, or the folder that it was exported from."
        )
    return OnnxEncoder(folder, precision=wanted, threads=options.threads)


def _loaded(folder: str | Path, options: NeuralLabeler) -> Any:
    from hilum.models._neural import torch  # noqa: PLC0415  (slow to import)
    from hilum.models.report_encoder import load_encoder  # noqa: PLC0415

    if options.threads is not None:
        torch.set_num_threads(int(options.threads))
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return load_encoder(folder, device=device)


def _check_folder(path: Path) -> None:
    if path.is_file():
        raise InputError(
            f"--weights {path} is a file, and a folder is needed. Next step: if it is a checkpoint of the public "
            f"programs, hilum convert {path} DIR --tokenizer TOKENIZER, then --weights DIR."
        )
    if not path.is_dir():
        raise InputError(f"There is no folder {path}. Next step: --weights with a folder of weights.")
