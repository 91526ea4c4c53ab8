"""The machine of a run: accelerate's device and precision, arithmetic that repeats, and the number of threads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import accelerate
import torch
import transformers
from accelerate.state import AcceleratorState, PartialState

from hilum.core.errors import InputError
from hilum.core.version import VERSION

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


class MachineChoice(Protocol):
    """What a configuration says of the machine."""

    @property
    def device(self) -> str:
        """`auto`, `cpu` or `cuda`."""
        ...

    @property
    def precision(self) -> str:
        """`no`, `bf16` or `fp16`."""
        ...


def versions() -> dict[str, str]:
    """Versions of what decides the bytes of a model."""
    return {
        "hilum": VERSION,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "accelerate": accelerate.__version__,
    }


def voice_of(accelerator: Any, tell: Callable[[str], None]) -> Callable[[str], None]:
    """`tell` in the main process; the others say nothing."""
    return tell if accelerator.is_main_process else _quiet


def _quiet(_: str) -> None:
    pass


@contextlib.contextmanager
def accelerator_for(config: MachineChoice) -> Iterator[Any]:
    """The accelerator of a run, also under `accelerate launch`; what torch had set before is set again after.

    Raises InputError for a device that is not there or cannot do the precision, and where another library of this
    process has set up accelerate for another precision.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no GPU that torch can use. Next step: --device cpu, or leave it out.")
    if config.precision == "fp16" and (config.device == "cpu" or not torch.cuda.is_available()):
        raise InputError("fp16 needs a GPU. Next step: --precision bf16 or no.")
    ours = not PartialState._shared_state
    os.environ.setdefault(_CUBLAS, ":4096:8")
    on_cpu = config.device == "cpu" or not torch.accelerator.is_available()
    try:
        accelerator = accelerate.Accelerator(cpu=on_cpu, mixed_precision=config.precision)
    except ValueError as error:
        raise InputError(
            f"accelerate is set up otherwise in this process already, by another library ({error}). Next step: train "
            "in a process of its own."
        ) from error
    try:
        with _repeatable(accelerator.device.type):
            yield accelerator
    finally:
        accelerator.end_training()
        if ours:
            AcceleratorState._reset_state(reset_partial_state=True)


@contextlib.contextmanager
def _repeatable(device: str) -> Iterator[None]:
    """Deterministic algorithms (on a GPU where there are some); torch's generators and settings stay as they were."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device == "cuda" else []):
        torch.use_deterministic_algorithms(True, warn_only=device != "cpu")
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.set_num_threads(threads)
