from __future__ import annotations

import pytest

import hilum
from hilum.core.vocabulary import State
from hilum.labelers.mini import SHIPPED_WEIGHTS, Mini

MOST_BYTES = 12_000_000


@pytest.fixture(scope="module", params=["int8", "float32"])
def mini(request: pytest.FixtureRequest) -> Mini:
    return Mini(precision=request.param, threads=1)


def test_the_weights_of_the_package_are_small_and_have_a_card() -> None:
    files = list(SHIPPED_WEIGHTS.iterdir())
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    assert {"README.md", "model.safetensors", "model.int8.onnx", "tokenizer.json"} <= {f.name for f in files}


@pytest.mark.parametrize(
    ("text", "finding", "state"),
    [
        ("No pleural effusion or pneumothorax.", "Pneumothorax", State.NEGATIVE),
        ("No pleural effusion or pneumothorax.", "Pleural Effusion", State.NEGATIVE),
        ("Small left pleural effusion.", "Pleural Effusion", State.POSITIVE),
        ("Right basilar atelectasis.", "Atelectasis", State.POSITIVE),
        ("Heart size is normal. Lungs are clear.", "No Finding", State.POSITIVE),
    ],
)
def test_plain_sentences_get_their_labels(mini: Mini, text: str, finding: str, state: State) -> None:
    assert hilum.label(text, labeler=mini)[finding] is state


def test_it_is_not_called_chexbert(mini: Mini) -> None:
    assert mini.stamp["labeler"] == "mini"
