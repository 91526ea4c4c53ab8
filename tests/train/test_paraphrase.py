"""Paraphrases keep labels, come out the same each time, and each kind can be used alone."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.labelers import ReportSpans, get_labeler
from hilum.train.paraphrase import (
    KINDS,
    OfflineParaphraser,
    Several,
    get_paraphraser,
    keep_labels,
    reordered,
    with_marks,
)

os.environ["HF_HUB_OFFLINE"] = "1"

REPORTS = [
    """FINDINGS: Heart size is normal. Small left pleural effusion. No pneumothorax. There is XXXX edema.
IMPRESSION: 1. Small left pleural effusion. 2. Possible pneumonia in the ___ lung.""",
    "The lungs are clear. No pleural effusion or pneumothorax. Cardiomegaly is unchanged.",
    "Left basilar opacity. This may represent atelectasis. Old rib fractures. [**2011-3-7**]",
    "",
    "Clear.",
]


def states(text: str) -> tuple[int, ...]:
    return get_labeler("rules").label_batch([ReportSpans(text)])[0].states


def test_paraphrases_are_new_and_have_the_labels_of_their_originals() -> None:
    made = OfflineParaphraser(copies=3).paraphrase(REPORTS, seed=1)
    assert len(made) == len(REPORTS)
    assert made[3] == made[4] == []
    assert sum(map(len, made)) >= 6
    for text, some in zip(REPORTS, made, strict=True):
        assert text not in some
        assert len(set(some)) == len(some)
        assert {states(one) for one in some} <= {states(text)}


def test_a_text_has_the_same_paraphrases_in_any_company() -> None:
    paraphraser = OfflineParaphraser(copies=2)
    together = paraphraser.paraphrase(REPORTS, seed=5)
    assert [paraphraser.paraphrase([text], seed=5)[0] for text in reversed(REPORTS)] == together[::-1]
    assert OfflineParaphraser(copies=2).paraphrase(REPORTS, seed=5) == together
    assert paraphraser.paraphrase(REPORTS, seed=6) != together


def test_all_that_is_made_is_counted() -> None:
    found = OfflineParaphraser(copies=2).counted(REPORTS, seed=2)
    assert sum(found.counts.values()) == 2 * len(REPORTS)
    assert found.counts["kept"] == sum(map(len, found.texts))
    assert found.counts["same text"] >= 2


def test_what_changes_a_label_is_dropped_and_counted() -> None:
    found = keep_labels(
        ["No edema."], [["No edema  .", "Edema.", "There is no edema."]], get_labeler("rules")
    )  # type: ignore[arg-type]
    assert found.texts == (("No edema  .", "There is no edema."),)
    assert found.counts == {"kept": 2, "same text": 0, "other labels": 1}


def test_order_stays_within_sections_and_lists_keep_their_numbers() -> None:
    text = "FINDINGS: Aa bb. Cc dd. Ee ff.\n\nIMPRESSION:\n1. Gg hh.\n2. Ii jj."
    seen = {reordered(text, np.random.default_rng(i)) for i in range(40)}
    assert len(seen) == 12
    for one in seen:
        findings, impression = one.split("\n\n")
        assert sorted(findings.removeprefix("FINDINGS: ").split(". ")[0]) != []
        assert {w for w in findings.split() if len(w.strip(".")) == 2} == {
            "Aa",
            "bb.",
            "Cc",
            "dd.",
            "Ee",
            "ff.",
        }
        assert impression in (
            "IMPRESSION:\n1. Gg hh.\n2. Ii jj.",
            "IMPRESSION:\n1. Ii jj.\n2. Gg hh.",
        )


def test_a_sentence_that_leans_on_another_goes_with_it() -> None:
    text = "Left opacity. This may be pneumonia. Normal heart."
    seen = {reordered(text, np.random.default_rng(i)) for i in range(20)}
    assert seen == {text, "Normal heart. Left opacity. This may be pneumonia."}


def test_marks_of_removed_words_are_exchanged() -> None:
    text = "XXXX year old, seen ___ by [**Doctor 3**], xx-ray of XXXXL."
    assert with_marks(text, "___") == "___ year old, seen ___ by ___, ___-ray of XXXXL."


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_works_alone(kind: str) -> None:
    text = REPORTS[0]
    paraphraser = OfflineParaphraser((kind,))
    found = {t for seed in range(12) for t in paraphraser.paraphrase([text], seed=seed)[0]}
    assert found
    for one in found:
        if kind == "order":
            assert sorted(one.split()) == sorted(text.split())
        elif kind == "tokens":
            assert ("XXXX" in one) + ("___" in one) + ("[** **]" in one) == 1
        else:
            assert one.startswith("FINDINGS: ")
            assert one.count(".") == text.count(".")


def test_synonyms_are_phrases_of_the_same_entry() -> None:
    paraphraser = OfflineParaphraser(("synonyms",))
    found = {
        t
        for seed in range(60)
        for t in paraphraser.paraphrase(["Small EFFUSION. No fractures."], seed=seed)[0]
    }
    assert any("PLEURAL EFFUSION" in one for one in found)
    assert all(one.startswith("Small ") for one in found)


def test_bad_choices_say_what_is_allowed() -> None:
    with pytest.raises(UnknownNameError, match="synonyms"):
        OfflineParaphraser(("synonym",))
    with pytest.raises(InputError, match="at least one"):
        OfflineParaphraser(())
    with pytest.raises(InputError, match="marian:THERE:BACK"):
        get_paraphraser("backwards")
    with pytest.raises(InputError, match="No kind"):
        get_paraphraser(" + ")
    with pytest.raises(InputError, match="is no folder"):
        get_paraphraser("marian:/nowhere/a:/nowhere/b")


def test_a_paraphraser_is_named_in_words() -> None:
    assert get_paraphraser("offline") == OfflineParaphraser()
    assert get_paraphraser("order + tokens") == OfflineParaphraser(("order", "tokens"))


def test_several_give_each_text_once() -> None:
    one = OfflineParaphraser(("order",))
    both = Several((one, one)).paraphrase(REPORTS[:2], seed=3)
    assert both == one.paraphrase(REPORTS[:2], seed=3)


# ---- back-translation, with tiny models made on the spot ------------------------------------------------------


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of Marian models with random weights and a vocabulary from a few invented sentences."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("marian")
    return tuple(_tiny(folder / name, seed) for seed, name in enumerate(("there", "back")))  # type: ignore[return-value]


def _tiny(folder: Path, seed: int) -> Path:
    sentencepiece = pytest.importorskip("sentencepiece")
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(REPORTS).replace("\n", ". ").split(". ") * 20),
        model_prefix=str(folder / "source"), vocab_size=70, hard_vocab_limit=False, minloglevel=2,
        num_threads=1, bos_id=-1, eos_id=0, unk_id=1, pad_id=-1,
    )  # fmt: skip
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    vocabulary = {model.id_to_piece(i): i for i in range(model.get_piece_size())} | {
        "<pad>": model.get_piece_size()
    }
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    pad = vocabulary["<pad>"]
    config = transformers.MarianConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=24,
        pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, forced_eos_token_id=0, init_std=1.0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = transformers.MarianMTModel(config)
    net.save_pretrained(str(folder))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*sacremoses.*")
        transformers.MarianTokenizer(
            str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json")
        ).save_pretrained(str(folder))
    return folder


def translator(marian: tuple[Path, Path], **options: Any) -> Any:
    from hilum.train._backtranslation import BackTranslator

    return BackTranslator(*marian, **options)


def test_back_translation_gives_one_text_each_whatever_the_batch(marian: tuple[Path, Path]) -> None:
    one = translator(marian, same_labels=False)
    found = one.paraphrase(REPORTS, seed=0)
    assert [len(some) for some in found] == [1, 1, 1, 0, 1]
    assert found[0][0].startswith("FINDINGS: ")
    assert "\nIMPRESSION: 1. " in found[0][0]
    assert one.paraphrase(REPORTS, seed=9) == found
    assert translator(marian, same_labels=False, batch_size=1).paraphrase(REPORTS, seed=0) == found
    assert [one.paraphrase([text], seed=0)[0] for text in REPORTS] == found


def test_back_translation_with_a_wider_search(marian: tuple[Path, Path]) -> None:
    found = translator(marian, same_labels=False, beams=3).paraphrase(REPORTS[:2], seed=0)
    assert [len(some) for some in found] == [1, 1]


def test_back_translations_with_other_labels_are_dropped(marian: tuple[Path, Path]) -> None:
    found = translator(marian).counted(REPORTS, seed=0)
    assert found.counts["other labels"] >= 3
    assert sum(found.counts.values()) == len(REPORTS)


def test_back_translation_by_name(marian: tuple[Path, Path]) -> None:
    both = get_paraphraser(f"order+marian:{marian[0]}:{marian[1]}")
    assert isinstance(both, Several)
    assert len(both.paraphrase(REPORTS[:1], seed=0)) == 1


def test_a_folder_without_a_model_is_told(tmp_path: Path, marian: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="is no MarianMT model"):
        translator((tmp_path, marian[1]))
    with pytest.raises(InputError, match="beams is 0"):
        translator(marian, beams=0)
