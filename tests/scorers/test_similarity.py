"""BERTScore and CheXbert similarity on a tiny encoder that is built on the spot."""

from __future__ import annotations

import builtins
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_encoder import write_encoder

from hilum.core.errors import InputError, MissingExtraError
from hilum.scorers import get_scorer
from hilum.scorers._encoder import TokenVectors, load_encoder
from hilum.scorers.bertscore import match_tokens, read_baseline

REFERENCES = [
    "No pleural effusion.",
    "The heart is mildly enlarged. There is a small left pleural effusion.",
    "Lungs are clear.",
    "Mild edema, no pneumothorax and no opacity in the right lower lobe.",
    "Normal.",
]
CANDIDATES = [
    "Pleural effusion.",
    "Heart size is normal. Small effusion.",
    "Lungs are clear.",
    "",
    "Mild edema.",
]

needs_torch = pytest.mark.usefixtures("torch_there")


@pytest.fixture(scope="session")
def torch_there() -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra: neural)")
    pytest.importorskip("transformers", reason="transformers is not installed (extra: neural)")


@pytest.fixture(scope="session")
def folder(torch_there: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder"))


def per_sample(name: str, folder: Path, **options: Any) -> np.ndarray[Any, Any]:
    scores = get_scorer(name, model=str(folder), **options).score(REFERENCES, CANDIDATES, per_sample=True)
    return np.array([score.per_sample for score in scores])


def plain_bertscore(folder: Path, layer: int, *, idf: bool) -> np.ndarray[Any, Any]:
    """The definition, one pair at a time and without batches, in torch alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    document = Counter(t for r in REFERENCES for t in set(tokenizer(r)["input_ids"]))
    rows = []
    for reference, candidate in zip(REFERENCES, CANDIDATES, strict=True):
        sides = []
        for text in (candidate, reference):
            ids = tokenizer(text)["input_ids"]
            with torch.no_grad():
                out = model(torch.tensor([ids]), output_hidden_states=True)
            vectors = torch.nn.functional.normalize(out.hidden_states[layer][0].double(), dim=-1)
            weight = [
                0.0
                if t in (tokenizer.cls_token_id, tokenizer.sep_token_id)
                else math.log((len(REFERENCES) + 1) / (document[t] + 1))
                if idf
                else 1.0
                for t in ids
            ]
            sides.append((vectors, torch.tensor(weight, dtype=torch.float64)))
        (c, wc), (r, wr) = sides
        if not wc.sum() or not wr.sum():
            rows.append([0.0, 0.0, 0.0])
            continue
        similar = c @ r.T
        p = float((similar.max(1).values * wc).sum() / wc.sum())
        q = float((similar.max(0).values * wr).sum() / wr.sum())
        rows.append([p, q, 2 * p * q / (p + q)])
    return np.array(rows).T


@needs_torch
@pytest.mark.parametrize(("layer", "idf"), [(None, False), (1, False), (0, True), (2, True)])
def test_bertscore_is_the_definition(folder: Path, layer: int | None, idf: bool) -> None:
    ours = per_sample("bertscore", folder, layer=layer, idf=idf)
    np.testing.assert_allclose(
        ours, plain_bertscore(folder, 2 if layer is None else layer, idf=idf), atol=1e-5
    )


@needs_torch
@pytest.mark.parametrize("name", ["bertscore", "chexbert_similarity"])
def test_the_batch_does_not_matter(name: str, folder: Path) -> None:
    one, two, all_ = (per_sample(name, folder, batch_size=size) for size in (1, 2, 32))
    np.testing.assert_allclose(one, two, atol=1e-5)
    np.testing.assert_allclose(one, all_, atol=1e-5)


@needs_torch
def test_similarity_is_the_cosine_of_the_first_token(folder: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    expected = []
    for pair in zip(REFERENCES, CANDIDATES, strict=True):
        with torch.no_grad():
            first = [
                model(**tokenizer(t, return_tensors="pt")).last_hidden_state[0, 0].double() for t in pair
            ]
        expected.append(float(torch.nn.functional.cosine_similarity(first[0], first[1], dim=0)))
    np.testing.assert_allclose(per_sample("chexbert_similarity", folder)[0], expected, atol=1e-5)


@needs_torch
def test_several_references_take_the_best(folder: Path) -> None:
    scorer = get_scorer("bertscore", model=str(folder))
    alone = [scorer.score([r], ["Small effusion."])[2].value for r in REFERENCES[:3]]
    both = scorer.score([tuple(REFERENCES[:3])], ["Small effusion."])[2].value
    assert both == pytest.approx(max(alone), abs=1e-5)


@needs_torch
def test_long_texts_are_cut_and_counted(folder: Path) -> None:
    long = "pleural effusion " * 60
    for name in ("bertscore", "chexbert_similarity"):
        [score, *_] = get_scorer(name, model=str(folder)).score([long], [long])
        assert score.value == pytest.approx(1.0)
        assert "1 texts were cut to 64 tokens" in score.note  # type: ignore[attr-defined]


@needs_torch
def test_a_baseline_rescales_value_and_range(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "baseline.tsv"
    file.write_text("LAYER,P,R,F\n0,0.1,0.1,0.1\n2,0.5,0.4,0.45\n", encoding="utf-8")
    plain, scaled = (
        get_scorer("bertscore", model=str(folder), baseline=b).score(REFERENCES, CANDIDATES)
        for b in (None, str(file))
    )
    for before, after, base in zip(plain, scaled, (0.5, 0.4, 0.45), strict=True):
        assert after.value == pytest.approx((before.value - base) / (1 - base))
        assert after.lowest == pytest.approx(-3.0)
        assert "rescaled" in after.preset
        assert "not rescaled" in before.preset
    with pytest.raises(InputError, match="layer 7"):
        read_baseline(file, layer=7)
    file.write_text("A,B\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="LAYER, P, R and F"):
        read_baseline(file, layer=2)


def test_a_text_without_a_token_scores_zero() -> None:
    empty = TokenVectors(np.array([0, 1]), np.ones((2, 3), dtype=np.float32), np.array([False, False]))
    word = TokenVectors(
        np.array([0, 7, 1]), np.ones((3, 3), dtype=np.float32), np.array([False, True, False])
    )
    assert match_tokens(word, empty) == (0.0, 0.0, 0.0)
    assert match_tokens(word, word) == pytest.approx((1.0, 1.0, 1.0))


def test_without_weights_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--model PATH"):
        get_scorer("bertscore")
    with pytest.raises(InputError, match="There is no folder"):
        get_scorer("chexbert_similarity", model=str(tmp_path / "nowhere"))


def test_without_the_extra_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".", maxsplit=1)[0] in ("torch", "transformers"):
            raise ImportError(f"no {name}", name=name)
        return real(name, *args, **kwargs)

    for name in ("torch", "transformers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"hilum\[neural\]"):
        load_encoder(tmp_path, scorer="bertscore")


@needs_torch
def test_a_folder_without_a_model_is_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        get_scorer("bertscore", model=str(tmp_path))
    with pytest.raises(InputError, match="There is no layer 3"):
        get_scorer("bertscore", model=str(folder), layer=3)
    for name in ("bertscore", "chexbert_similarity"):
        with pytest.raises(InputError, match="batch size"):
            get_scorer(name, model=str(folder), batch_size=0)
