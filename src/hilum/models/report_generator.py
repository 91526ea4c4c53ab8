"""Images to reports: CNN-RNN-RNN with attention and a visual sentinel (Liu et al. 2019, section 3.1).

Importing this module imports torch; whoever may be asked without it imports `models.generator_spec` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hilum.core.errors import InputError
from hilum.models._classifier_start import load_densenet
from hilum.models._decoding import log_shares
from hilum.models._generator_files import digest_of, load_weights, read_spec, write_folder
from hilum.models._neural import torch
from hilum.models._sentence_decoder import SentenceDecoder
from hilum.models._sentences_written import Topics, write_sentences
from hilum.models._word_decoder import WordDecoder
from hilum.models.decoding import SAMPLE, Decoding, remove_repeats
from hilum.models.generating import (
    Generated,
    Generator,
    ImageEncoder,
    Likelihood,
    Teacher,
    Visual,
    check_numbers,
    check_rescored,
    check_words,
)
from hilum.models.generator_spec import CNN_RNN_RNN, PAD, TIENET, GeneratorSpec
from hilum.models.noise_rnn import NoiseRnn
from hilum.models.tienet import TieNet

__all__ = [
    "Decoding",
    "Generated",
    "Generator",
    "GeneratorSpec",
    "Likelihood",
    "LoadedGenerator",
    "ReportGenerator",
    "Teacher",
    "Visual",
    "load_generator",
    "new_generator",
    "remove_repeats",
    "save_generator",
]

functional = torch.nn.functional


class ReportGenerator(Generator):
    """The hierarchical generator. Keys of its state dict: `encoder.*`, `sentences.*`, `words.*`.

    Topics and stops come from the mean of the map alone, so all sentences of a batch are written together.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__(spec)
        self.encoder = ImageEncoder(spec)
        self.sentences = SentenceDecoder(spec.width, spec.hidden)
        self.words = WordDecoder(spec)

    def forward_visual(self, visual: Visual, words_BSW: torch.Tensor) -> Teacher:
        """Logits of every word and stop; where there is no word, and where no sentence, they are 0."""
        check_words(words_BSW, visual, self.spec)
        topics_BSD, stops_BS = self.sentences(visual.mean_BD, words_BSW.shape[1])
        spoken = self.words.spoken(visual, topics_BSD, words_BSW)
        logits = spoken.logits_TV.new_zeros(words_BSW.numel(), spoken.logits_TV.shape[1])
        weights = spoken.attention_TK1.new_zeros(words_BSW.numel(), spoken.attention_TK1.shape[1])
        return Teacher(
            logits.index_copy(0, spoken.places_T, spoken.logits_TV).view(*words_BSW.shape, logits.shape[1]),
            stops_BS.masked_fill(words_BSW[..., 0] == PAD, 0.0),
            weights.index_copy(0, spoken.places_T, spoken.attention_TK1).view(
                *words_BSW.shape, weights.shape[1]
            ),
        )

    def log_probabilities(
        self,
        visual: Visual,
        words_BSW: torch.Tensor,
        *,
        stops_BS: torch.Tensor | None = None,
        how: Decoding | None = None,
    ) -> Likelihood:
        """See `Generator.log_probabilities`."""
        check_words(words_BSW, visual, self.spec)
        check_rescored(how)
        topics_BSD, stop_logits_BS = self.sentences(visual.mean_BD, words_BSW.shape[1])
        spoken = self.words.spoken(visual, topics_BSD, words_BSW)
        log_T = log_shares(spoken.logits_TV, how).gather(1, spoken.words_T[:, None]).squeeze(1)
        logs = log_T.new_zeros(words_BSW.numel()).index_copy(0, spoken.places_T, log_T)
        said_BS = words_BSW[..., 0] != PAD
        stops_BS = last_sentences(said_BS) if stops_BS is None else stops_BS
        return Likelihood(logs.view(words_BSW.shape), _log_stops(stop_logits_BS, stops_BS, said_BS))

    def decode(
        self, visual: Visual, *, how: Decoding | None = None, generator: torch.Generator | None = None
    ) -> Generated:
        """See `Generator.decode`: stops first, then the words of all sentences that there are."""
        how = Decoding() if how is None else how
        most = how.most_sentences or self.spec.most_sentences
        topics_BSD, stop_logits_BS = self.sentences(visual.mean_BD, most)
        check_numbers(stop_logits_BS)
        stops_BS = _stops(stop_logits_BS, how, generator)
        before_BS = stops_BS.cumsum(1) - stops_BS
        said_BS = before_BS == 0
        stops_BS = stops_BS * said_BS
        written = write_sentences(
            self.words,
            Topics(visual, topics_BSD, said_BS),
            steps=how.most_words or self.spec.most_words,
            how=how,
            generator=generator,
        )
        check_numbers(written.logs_NT)
        shape = (*said_BS.shape, written.words_NT.shape[1])
        return Generated(
            written.words_NT.view(shape),
            stops_BS,
            written.logs_NT.view(shape),
            _log_stops(stop_logits_BS, stops_BS, said_BS),
            written.attention_NTK1.view(*shape, written.attention_NTK1.shape[2]),
            said_BS.sum(1),
        )


def last_sentences(said_BS: torch.Tensor) -> torch.Tensor:
    """1 with the last sentence of each report, else 0: what the stop signal is taught."""
    after_BS = functional.pad(said_BS[:, 1:], (0, 1))
    return (said_BS & ~after_BS).long()


def _stops(logits_BS: torch.Tensor, how: Decoding, generator: torch.Generator | None) -> torch.Tensor:
    """1 where a sentence is said to be the last; drawn where words are drawn, else where u is above one half."""
    if how.way != SAMPLE:
        return (logits_BS > 0).long()
    device = logits_BS.device if generator is None else generator.device
    drawn_BS = torch.rand(logits_BS.shape, generator=generator, device=device).to(logits_BS.device)
    return (drawn_BS < torch.sigmoid(logits_BS.detach())).long()


def _log_stops(logits_BS: torch.Tensor, stops_BS: torch.Tensor, said_BS: torch.Tensor) -> torch.Tensor:
    """log u where a stop was said, log(1 - u) where not, 0 where there is no sentence."""
    signs_BS = 2.0 * stops_BS.to(logits_BS.dtype) - 1.0
    return functional.logsigmoid(signs_BS * logits_BS).masked_fill(~said_BS, 0.0)


# --- made, written, read ---


@dataclass(frozen=True, eq=False)
class LoadedGenerator:
    """A report generator that is ready to write.

    `digest` is the SHA-256 of all files that decide its reports: equal digests, equal reports.
    """

    model: Generator
    spec: GeneratorSpec
    folder: Path
    digest: str

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.model.parameters()).device


def new_generator(spec: GeneratorSpec, *, seed: int = 0, classifier: str | Path | None = None) -> Generator:
    """A generator of the spec's kind for training: float32, on the CPU, in training mode.

    `classifier`: the folder of an image classifier, or a checkpoint file of one, whose DenseNet the image encoder
    begins with; its first convolution is made to fit the channels. All else is drawn from `seed`, and torch's own
    generator is left as it was. Raises InputError when weights cannot be loaded or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _blank(spec)
    if classifier is not None:
        if model.encoder is None:
            raise InputError(f"A {spec.kind} sees no images. Next step: leave the classifier out.")
        load_densenet(model.encoder.backbone, classifier)
    return model.train()


def save_generator(folder: str | Path, model: Generator) -> Path:
    """Write a generator into `folder` (made when it is not there) and return the folder.

    `model.safetensors` has the weights, `hilum_generator.json` the spec with the vocabulary. Equal weights give equal
    bytes. Raises OutputError when it cannot be written.
    """
    path = Path(folder)
    write_folder(path, model, model.spec)
    return path


def load_generator(folder: str | Path | None, *, device: str = "cpu") -> LoadedGenerator:
    """The generator that `save_generator` wrote: float32, in evaluation mode, on `device`.

    Nothing but the folder is read, no code of it is run, and torch's generator is left as it was. Raises InputError
    when there is no such folder, a file is missing or broken, or a tensor is missing, extra or wrongly shaped.
    """
    path, spec = read_spec(folder)
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
        model = _blank(spec)
    load_weights(path, model)
    try:
        model = model.float().eval().to(device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            f"The device {device!r} cannot be used: {' '.join(str(error).split())[:200]}. Next step: cpu, or a device "
            "that torch sees, e.g. cuda or cuda:1."
        ) from error
    return LoadedGenerator(model, spec, path, digest_of(path))


def _blank(spec: GeneratorSpec) -> Generator:
    if spec.kind == CNN_RNN_RNN:
        return ReportGenerator(spec)
    return TieNet(spec) if spec.kind == TIENET else NoiseRnn(spec)
