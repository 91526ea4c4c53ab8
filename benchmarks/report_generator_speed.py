"""How fast report generators learn and write on one core: python benchmarks/report_generator_speed.py

Invented reports of 4 to 8 sentences of 4 to 12 words, 300 words, width and hidden 128, images of 96 px, the small
DenseNet. "kept": the encoder's last map is worked out once, as with a frozen encoder.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from hilum.models.classifier_spec import SMALL_DENSENET
from hilum.models.generator_spec import END, KINDS, TIENET, GeneratorSpec, with_specials
from hilum.models.report_generator import Decoding, Generator, new_generator

BATCH, REPEATS = 32, 7


def spec_of(kind: str) -> GeneratorSpec:
    """A generator of the kind that the phantom is learned with."""
    return GeneratorSpec(
        with_specials([f"w{i}" for i in range(300)]),
        kind,
        width=128,
        hidden=128,
        attention=64,
        most_sentences=8,
        most_words=16,
        findings=("Edema",) if kind == TIENET else (),
        size_px=96,
        normalisation="none",
        channels=1,
        architecture=SMALL_DENSENET,
    )


def reports() -> torch.Tensor:
    """Invented reports, [B, S, W]."""
    drawn = torch.Generator().manual_seed(1)
    words_BSW = torch.zeros(BATCH, 8, 16, dtype=torch.int64)
    for report in words_BSW:
        for sentence in report[: int(torch.randint(4, 9, (), generator=drawn))]:
            n = int(torch.randint(4, 13, (), generator=drawn))
            sentence[:n] = torch.randint(3, 303, (n,), generator=drawn)
            sentence[n] = END
    return words_BSW


def per_second(work: Callable[[], object]) -> float:
    """Images a second of processor time, the median of several runs."""
    work()
    spent = []
    for _ in range(REPEATS):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return BATCH / sorted(spent)[REPEATS // 2]


def taught(model: Generator, pixels: torch.Tensor, words_BSW: torch.Tensor) -> dict[str, float]:
    """Images a second forward and back."""

    def learn(seen: Callable[[], object]) -> float:
        def step() -> None:
            model.zero_grad(set_to_none=True)
            (-model.log_probabilities(seen(), words_BSW).total_B.mean()).backward()

        return per_second(step)

    encoder = model.encoder
    if encoder is None:
        return {"teacher forcing": learn(lambda: model.encode(pixels))}
    found = {"teacher forcing with CNN": learn(lambda: model.encode(pixels))}
    model.freeze_backbone()
    found["frozen CNN"] = learn(lambda: model.encode(pixels))
    kept_BKF = encoder.features(pixels)
    found["kept maps"] = learn(lambda: encoder.projected(kept_BKF))
    model.freeze_backbone(False)
    return found


@torch.no_grad()
def written(model: Generator, pixels: torch.Tensor, words_BSW: torch.Tensor) -> dict[str, float]:
    """Reports a second; stops are set so that reports are as long as the invented ones."""
    visual = model.eval().encode(pixels)
    if model.spec.kind == "cnn-rnn-rnn":
        model.get_parameter("sentences.stop.bias").fill_(-1.6)
    ways = {"greedy": Decoding(), "sampled": Decoding("sample"), "beam of 3": Decoding("beam")}
    ways |= {f"{name}, no repeats": Decoding(how.way, no_repeat_sentences=True) for name, how in ways.items()}
    found = {name: per_second(lambda how=how: model.decode(visual, how=how)) for name, how in ways.items()}
    one = model.decode(visual, how=Decoding("sample"))
    print(f"  sampled reports have {float((one.words_BSW != 0).sum()) / BATCH:.0f} words")
    found["scored again"] = per_second(lambda: model.log_probabilities(visual, words_BSW))
    return found


def main() -> None:
    """All kinds, printed."""
    torch.set_num_threads(1)
    pixels, words_BSW = torch.rand(BATCH, 1, 96, 96), reports()
    print(f"reports have {float((words_BSW != 0).sum()) / BATCH:.0f} words with ends")
    for kind in KINDS:
        model = new_generator(spec_of(kind))
        count = sum(p.numel() for p in model.parameters())
        cnn = sum(p.numel() for n, p in model.named_parameters() if ".backbone." in n)
        print(f"{kind}: {count:,} parameters, {cnn:,} of them of the CNN")
        for name, value in (taught(model, pixels, words_BSW) | written(model, pixels, words_BSW)).items():
            print(f"  {name:28} {value:8.0f} a second")


if __name__ == "__main__":
    main()
