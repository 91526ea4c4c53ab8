"""Report generators of a few thousand numbers, and reports that are invented."""

from __future__ import annotations

from typing import Any

import torch
from tiny_image_classifier import ARCHITECTURE, stirred

from hilum.models.generating import Generator
from hilum.models.generator_spec import CNN_RNN_RNN, END, NOISE_RNN, TIENET, GeneratorSpec, with_specials
from hilum.models.report_generator import new_generator
from hilum.text.report_words import Sentences

FINDINGS = ("Cardiomegaly", "Edema")
KINDS = (CNN_RNN_RNN, TIENET, NOISE_RNN)
REPORTS: tuple[Sentences, ...] = (
    (("no", "edema"), ("heart", "is", "large")),
    (("heart", "is", "normal"),),
    (("no", "effusion"), ("no", "edema"), ("lungs", "clear")),
)
WORDS = ("no", "edema", "effusion", "heart", "is", "large", "normal", "lungs", "clear")


def tiny_generator_spec(kind: str = CNN_RNN_RNN, **changes: Any) -> GeneratorSpec:
    fields = {
        "width": 6,
        "hidden": 5,
        "attention": 4,
        "hops": 2,
        "most_sentences": 4,
        "most_words": 5,
        "findings": FINDINGS if kind == TIENET else (),
        "size_px": 64,
        "normalisation": "none",
        "channels": 1,
        "architecture": ARCHITECTURE,
        **changes,
    }
    return GeneratorSpec(fields.pop("words", with_specials(WORDS)), kind, **fields)


def tiny_generator(kind: str = CNN_RNN_RNN, *, seed: int = 0, loud: float = 4.0, **changes: Any) -> Any:
    """A generator in evaluation mode; `loud` makes its choices less even than those of a new one."""
    model: Generator = stirred(new_generator(tiny_generator_spec(kind, **changes), seed=seed))
    with torch.no_grad():
        model.get_submodule("words.out" if kind == CNN_RNN_RNN else "out").weight.mul_(loud)
    return model


def talkative(kind: str = CNN_RNN_RNN, **changes: Any) -> Any:
    """A tiny generator that seldom ends a sentence at once."""
    model = tiny_generator(kind, **changes)
    with torch.no_grad():
        model.get_submodule("words.out" if kind == CNN_RNN_RNN else "out").bias[END] -= 3.0
    return model


def pixels(count: int = 3, *, seed: int = 5) -> torch.Tensor:
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


def words_of(*reports: Sentences, **changes: Any) -> torch.Tensor:
    """Invented reports as int64 [B, S, W]."""
    return torch.from_numpy(tiny_generator_spec(**changes).encode(reports or REPORTS).words_BSW)


def random_words(
    count: int, sentences: int, words: int, *, vocabulary: int = 12, seed: int = 1
) -> torch.Tensor:
    """Reports of random lengths, each sentence with its end."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.zeros(count, sentences, words, dtype=torch.int64)
    for report in found:
        for sentence in report[: int(torch.randint(1, sentences + 1, (), generator=generator))]:
            size = int(torch.randint(0, words, (), generator=generator))
            sentence[:size] = torch.randint(2, vocabulary, (size,), generator=generator)
            sentence[size] = END
    return found
