from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tiny_report_encoder import REPORTS, tiny_loaded, tiny_words
from transformers import DistilBertConfig, DistilBertModel

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.rng import rng_for
from hilum.models import _precision
from hilum.models._engines import GenericEncoder, engine_for
from hilum.models._packed import can_pack
from hilum.models._precision import PRECISIONS, Int8Linear, linear
from hilum.models.batches import cut, sentence_ends, token_ids, windows
from hilum.models.predict import predict
from hilum.models.report_encoder import ReportEncoder, chexbert_spec

NOISE = 1e-4
"""Weights of the tiny encoder are large, so its logits are about 50."""

WORDS = tuple(tiny_words())[5:35]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.set_num_threads(1)
    return tiny_loaded(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = rng_for(0, "test_predict")
    drawn = [" ".join(rng.choice(WORDS, size=int(rng.integers(0, 120)))) for _ in range(40)]
    return [" ".join(text.split()) for text in (*REPORTS, *drawn, *drawn[:7])]


def plain(loaded: Any, texts: list[str], *, batch_size: int = 18) -> npt.NDArray[np.float32]:
    """Logits in file order, padded, cut: what the public programs do."""
    longest = loaded.spec.max_tokens
    ids = [cut(one, longest) for one in token_ids(loaded.tokenizer, texts)]
    found = []
    for first in range(0, len(ids), batch_size):
        part = ids[first : first + batch_size]
        width = max(map(len, part))
        ids_BT = torch.tensor([[*one, *[0] * (width - len(one))] for one in part])
        mask_BT = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in part])
        with torch.no_grad():
            found.append(loaded.model(ids_BT, mask_BT).numpy())
    return np.concatenate(found)


@pytest.fixture(scope="module")
def reference(loaded: Any, texts: list[str]) -> npt.NDArray[np.float32]:
    return plain(loaded, texts)


def relative(found: npt.NDArray[np.float32], reference: npt.NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


@pytest.mark.parametrize("batch_size", [None, 1, 7, 18, 1000])
@pytest.mark.parametrize("bucketing", [True, False])
def test_logits_are_those_of_the_plain_way_whatever_the_batches(
    loaded: Any,
    texts: list[str],
    reference: npt.NDArray[np.float32],
    batch_size: int | None,
    bucketing: bool,
) -> None:
    found = predict(loaded, texts, long="cut", batch_size=batch_size, bucketing=bucketing)
    assert found.first_NC.dtype == np.float32
    assert np.abs(found.first_NC - reference).max() < NOISE


def test_without_onednn_the_logits_are_the_same(
    loaded: Any, texts: list[str], reference: npt.NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_precision, "_has_onednn", lambda: False)
    twin = copy.copy(loaded)
    object.__setattr__(twin, "model", copy.deepcopy(loaded.model))
    assert np.abs(predict(twin, texts, long="cut").first_NC - reference).max() < NOISE
    assert relative(predict(twin, texts, long="cut", precision="bfloat16").first_NC, reference) < 0.1


@pytest.mark.parametrize(("precision", "limit"), [("bfloat16", 0.1), ("int8", 0.1)])
def test_lower_precisions_come_near(
    loaded: Any, texts: list[str], reference: npt.NDArray[np.float32], precision: str, limit: float
) -> None:
    found = predict(loaded, texts, long="cut", precision=precision)
    assert relative(found.first_NC, reference) < limit
    assert relative(found.first_NC, reference) > 1e-5


def test_int8_does_not_depend_on_the_batch(loaded: Any, texts: list[str]) -> None:
    alone = predict(loaded, texts[:12], precision="int8", batch_size=1, bucketing=False)
    together = predict(loaded, texts[:12], precision="int8")
    for one, other in zip(alone.logits, together.logits, strict=True):
        assert np.abs(one - other).max() < NOISE


@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_runs_give_the_same_bytes(loaded: Any, texts: list[str], precision: str) -> None:
    first, second = (predict(loaded, texts, precision=precision) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first.logits, second.logits, strict=True))


def test_equal_texts_are_worked_out_once(loaded: Any, texts: list[str]) -> None:
    once = predict(loaded, texts, long="cut")
    each = predict(loaded, texts, long="cut", unique=False)
    assert (once.sequences, each.sequences, each.computed) == (len(texts), len(texts), len(texts))
    assert once.computed == len(set(token_ids(loaded.tokenizer, texts, max_tokens=64))) < len(texts)
    assert np.abs(once.first_NC - each.first_NC).max() < NOISE
    assert (once.first_NC[6:13] == once.first_NC[-7:]).all()


def test_long_texts_have_windows_or_are_cut_and_counted(loaded: Any) -> None:
    texts = ["edema " * 150, "No edema."]
    found = predict(loaded, texts)
    ends = sentence_ends(loaded.tokenizer)
    expected = windows(token_ids(loaded.tokenizer, texts)[0], max_tokens=64, ends=ends)
    assert found.windows_N.tolist() == [len(expected), 1] == [4, 1]
    assert found.logits[0].shape == (4, loaded.spec.outputs)
    assert not found.cut_N.any()
    shorter = predict(loaded, texts, long="cut")
    assert shorter.windows_N.tolist() == [1, 1]
    assert shorter.cut_N.tolist() == [True, False]
    assert np.abs(shorter.first_NC - plain(loaded, texts)).max() < NOISE


def test_each_window_has_the_logits_of_its_tokens(loaded: Any) -> None:
    text = " ".join(WORDS * 9)
    ids = token_ids(loaded.tokenizer, [text])[0]
    rows, ends = predict(loaded, [text]).logits[0], sentence_ends(loaded.tokenizer)
    for row, window in zip(rows, windows(ids, max_tokens=64, ends=ends), strict=True):
        with torch.no_grad():
            alone = loaded.model(torch.tensor([window]), torch.ones(1, len(window), dtype=torch.long))
        assert np.abs(row - alone[0].numpy()).max() < NOISE


def test_no_texts_and_empty_texts(loaded: Any) -> None:
    nothing = predict(loaded, [])
    assert (nothing.logits, nothing.sequences, nothing.windows_N.tolist()) == ([], 0, [])
    assert predict(loaded, ["", ""]).windows_N.tolist() == [1, 1]


def test_progress_counts_up_to_all(loaded: Any, texts: list[str]) -> None:
    told: list[tuple[int, int]] = []
    found = predict(loaded, texts, batch_size=10, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (found.computed, found.computed)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_options_that_cannot_be_used_are_told(loaded: Any) -> None:
    with pytest.raises(UnknownNameError, match="precision 'float16'"):
        predict(loaded, ["a"], precision="float16")
    with pytest.raises(UnknownNameError, match="way with long texts"):
        predict(loaded, ["a"], long="all")
    with pytest.raises(InputError, match="at least 1 text"):
        predict(loaded, ["a"], batch_size=0)


def test_int8_on_a_gpu_is_refused() -> None:
    with pytest.raises(InputError, match="int8 is for processors"):
        _precision.check_precision("int8", torch.device("cuda"))


def test_weights_that_change_are_seen(loaded: Any) -> None:
    twin = copy.copy(loaded)
    object.__setattr__(twin, "model", copy.deepcopy(loaded.model))
    before = predict(twin, ["edema"]).first_NC
    assert engine_for(twin.model, "float32") is engine_for(twin.model, "float32")
    with torch.no_grad():
        twin.model.linear_heads[0].bias.add_(1)
    assert np.allclose(predict(twin, ["edema"]).first_NC[:, :4], before[:, :4] + 1, atol=NOISE)


def test_a_model_in_training_predicts_without_dropout(loaded: Any) -> None:
    twin = copy.copy(loaded)
    object.__setattr__(twin, "model", copy.deepcopy(loaded.model).train())
    assert np.array_equal(predict(twin, ["edema"]).first_NC, predict(loaded, ["edema"]).first_NC)
    assert twin.model.training


@pytest.fixture(scope="module")
def other_kind(loaded: Any) -> Any:
    """An encoder that is no BERT."""
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(loaded.tokenizer),
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=64,
        max_position_embeddings=64,
    )
    twin = copy.copy(loaded)
    object.__setattr__(twin, "model", ReportEncoder(DistilBertModel(config), chexbert_spec()).eval())
    return twin


@pytest.mark.parametrize("precision", PRECISIONS)
def test_encoders_that_are_no_bert_work_too(other_kind: Any, texts: list[str], precision: str) -> None:
    assert not can_pack(other_kind.model.bert)
    reference = plain(other_kind, texts)
    found = predict(other_kind, texts, long="cut", precision=precision).first_NC
    assert relative(found, reference) < (1e-5 if precision == "float32" else 0.1)


def test_the_packed_way_and_the_model_itself_agree(loaded: Any, texts: list[str]) -> None:
    assert can_pack(loaded.model.bert)
    ids = token_ids(loaded.tokenizer, texts, max_tokens=64)
    with torch.inference_mode():
        packed, generic = (
            engine_for(loaded.model, "float32")(ids),
            GenericEncoder(loaded.model, "float32")(ids),
        )
    assert float((packed - generic).abs().max()) < NOISE


def test_an_int8_product_is_exact_for_whole_numbers() -> None:
    rng = rng_for(0, "int8")
    x, weight = (torch.tensor(rng.integers(-127, 128, size=(n, 32)), dtype=torch.float32) for n in (5, 16))
    x[:, 0] = weight[:, 0] = 127
    found = Int8Linear(weight, None)(x)
    assert torch.allclose(found, x @ weight.T)
    assert (linear(weight, torch.ones(16), "int8")(torch.zeros(2, 32)) == 1).all()


def test_long_texts_are_read_in_windows_of_the_size_that_the_spec_names(loaded: Any) -> None:
    text = " ".join(WORDS * 9)
    ids = token_ids(loaded.tokenizer, [text])[0]
    shorter = replace(loaded, spec=replace(loaded.spec, window_tokens=20))
    found = predict(shorter, [text, "No edema."])
    expected = windows(ids, max_tokens=20, ends=sentence_ends(loaded.tokenizer))
    assert found.windows_N.tolist() == [len(expected), 1]
    with pytest.raises(InputError, match="window_tokens is 65"):
        replace(loaded.spec, window_tokens=65)
