from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_report_encoder import REPORTS, tiny_folder, tiny_words

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.models.equality import label_equality, margins, states
from hilum.models.onnx_model import FILES, OnnxEncoder, export_onnx
from hilum.models.predict import predict
from hilum.models.report_encoder import chexbert_spec, load_encoder, visualchexbert_spec

NOISE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    found = tiny_folder(tmp_path_factory.mktemp("onnx"))
    export_onnx(load_encoder(found))
    return found


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Any:
    return load_encoder(folder)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng, words = rng_for(0, "test_onnx"), list(tiny_words())[5:36]
    drawn = [" ".join(rng.choice(words, size=int(rng.integers(1, 100)))) for _ in range(30)]
    return [*(" ".join(text.split()) for text in REPORTS), *drawn]


def encoder(folder: Path, precision: str) -> OnnxEncoder:
    return OnnxEncoder(folder, precision=precision, threads=1)


def test_the_float_model_gives_the_logits_of_torch(folder: Path, loaded: Any, texts: list[str]) -> None:
    found, expected = predict(encoder(folder, "float32"), texts), predict(loaded, texts)
    assert found.windows_N.tolist() == expected.windows_N.tolist()
    assert max(found.windows_N) > 1
    for one, other in zip(found.logits, expected.logits, strict=True):
        assert np.abs(one - other).max() < NOISE


def test_the_int8_model_comes_near_and_has_int8_weights(folder: Path, loaded: Any, texts: list[str]) -> None:
    found = np.concatenate(predict(encoder(folder, "int8"), texts).logits)
    expected = np.concatenate(predict(loaded, texts).logits)
    assert 1e-5 < np.linalg.norm(found - expected) / np.linalg.norm(expected) < 0.1
    assert (folder / FILES["int8"]).stat().st_size < (folder / FILES["float32"]).stat().st_size


def test_int8_labels_do_not_depend_on_the_batch(folder: Path, texts: list[str]) -> None:
    alone = predict(encoder(folder, "int8"), texts, batch_size=1)
    together = predict(encoder(folder, "int8"), texts, batch_size=100, bucketing=False)
    for one, other in zip(alone.logits, together.logits, strict=True):
        assert np.abs(one - other).max() < NOISE


def test_weights_of_seven_bits_come_less_near(folder: Path, loaded: Any, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    export_onnx(loaded, tmp_path, weight_bits=7)
    graph = onnx.load(tmp_path / FILES["int8"]).graph
    products = {name for node in graph.node if node.op_type == "MatMulInteger" for name in node.input}
    weights = [numpy_helper.to_array(t) for t in graph.initializer if t.name in products and len(t.dims) == 2]
    assert len(weights) == 12
    assert max(np.abs(one.astype(int)).max() for one in weights) == 63
    with pytest.raises(InputError, match="8 or 7 bits"):
        export_onnx(loaded, tmp_path, weight_bits=4)


def test_exporting_twice_gives_the_same_bytes(folder: Path, loaded: Any, tmp_path: Path) -> None:
    export_onnx(loaded, tmp_path)
    for name in FILES.values():
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_an_exported_folder_alone_is_enough_and_needs_no_torch(
    folder: Path, loaded: Any, tmp_path: Path
) -> None:
    export_onnx(loaded, tmp_path)
    code = (
        "import sys; from hilum.models.onnx_model import OnnxEncoder; from hilum.models.predict import predict;"
        f"print(predict(OnnxEncoder({str(tmp_path)!r}, precision='int8', threads=1), ['no edema']).first_NC.shape);"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(1, 54)", "False False"]
    assert encoder(tmp_path, "int8").digest == encoder(folder, "int8").digest
    assert encoder(tmp_path, "int8").digest != encoder(tmp_path, "float32").digest


def test_a_model_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tiny_folder(tmp_path / "other", seed=1)
    (other / FILES["int8"]).write_bytes((folder / FILES["int8"]).read_bytes())
    with pytest.raises(InputError, match="exported from other weights"):
        encoder(other, "int8")


def test_missing_and_broken_files_are_told(folder: Path, tmp_path: Path) -> None:
    weights = tiny_folder(tmp_path / "weights")
    with pytest.raises(InputError, match=r"There is no .*model.int8.onnx. Next step: hilum export"):
        encoder(weights, "int8")
    with pytest.raises(InputError, match="float32 or int8; got 'bfloat16'"):
        encoder(weights, "bfloat16")
    (weights / FILES["int8"]).write_bytes(b"no model")
    with pytest.raises(InputError, match="cannot be run"):
        encoder(weights, "int8")


def test_a_precision_that_the_file_does_not_have_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="is int8, and float32 was asked for"):
        predict(encoder(folder, "int8"), ["edema"], precision="float32")
    assert predict(encoder(folder, "int8"), ["edema"], precision="int8").sequences == 1


def test_heads_of_one_logit_are_exported_too(tmp_path: Path) -> None:
    loaded = load_encoder(tiny_folder(tmp_path, visualchexbert_spec()))
    export_onnx(loaded, int8=False)
    assert not (tmp_path / FILES["int8"]).exists()
    found = predict(encoder(tmp_path, "float32"), list(REPORTS)).logits
    for one, other in zip(found, predict(loaded, list(REPORTS)).logits, strict=True):
        assert one.shape[1] == 14
        assert np.abs(one - other).max() < NOISE


def test_states_and_margins_by_hand() -> None:
    spec = chexbert_spec()
    logits = np.zeros((1, 54), dtype=np.float32)
    logits[0, [1, 6, 11, 12]] = (2, 3, 4, 5)  # positive, negative, uncertain, blank
    assert states(logits, spec)[0, :4].tolist() == [1, 2, 3, 0]
    assert margins(logits, spec)[0, :5].tolist() == [2, 3, 4, 5, 0]


def test_heads_of_one_logit_are_positive_from_their_threshold_on() -> None:
    from dataclasses import replace

    spec = visualchexbert_spec()
    logits = np.zeros((1, 14), dtype=np.float32)
    logits[0, 1] = -1
    assert states(logits, spec)[0, :2].tolist() == [1, 0]
    stricter = replace(spec, thresholds=dict.fromkeys(spec.findings, 0.25))
    assert states(logits, stricter)[0, :2].tolist() == [1, 1]
    assert margins(logits, stricter)[0, 1] == pytest.approx(np.log(3) - 1)


def test_equality_counts_labels_reports_and_what_is_said() -> None:
    spec = chexbert_spec()
    a = np.zeros((4, 54), dtype=np.float32)
    a[:, spec.columns[0].start] = 1
    b = a.copy()
    b[0, spec.columns[0].start + 1] = 2
    found = label_equality(a, b, spec)
    assert (found.sequences, found.reports, found.said, found.said_labels) == (4, 0.75, 0, 1)
    assert found.labels == 1 - 1 / 56
    assert (found.least, found.least_finding, found.clear_differences) == (0.75, spec.findings[0], 1)
    assert found.largest_difference == 2
    nothing = label_equality(a[:0], b[:0], spec)
    assert (nothing.labels, nothing.said, nothing.largest_difference) == (None, None, 0)
    with pytest.raises(InputError, match="cannot be compared"):
        label_equality(a, b[:2], spec)
