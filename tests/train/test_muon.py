"""Muon and AdamW as one optimizer: what each part does, what is saved, who learns by which."""

from __future__ import annotations

import io
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

from hilum.train.muon import MuonWithAdamW, matrices_and_others  # noqa: E402


def parameters() -> tuple[Any, Any]:
    draw = torch.Generator().manual_seed(3)
    return (
        torch.nn.Parameter(torch.randn(6, 4, generator=draw)),
        torch.nn.Parameter(torch.randn(5, generator=draw)),
    )


def learn(matrix: Any, vector: Any, optimizers: list[Any], steps: int) -> None:
    for step in range(steps):
        for one in optimizers:
            one.zero_grad()
        ((matrix**2).sum() * (step + 1) + (vector**3).sum()).backward()
        for one in optimizers:
            one.step()


def test_it_is_muon_for_matrices_and_adamw_for_the_rest() -> None:
    matrix, vector = parameters()
    learn(matrix, vector, [MuonWithAdamW([matrix], [vector], lr=0.02, weight_decay=0.1)], 5)
    plain_matrix, plain_vector = parameters()
    apart = [
        torch.optim.Muon([plain_matrix], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([plain_vector], lr=0.02, weight_decay=0.1),
    ]
    learn(plain_matrix, plain_vector, apart, 5)
    assert torch.equal(matrix, plain_matrix)
    assert torch.equal(vector, plain_vector)


def test_one_side_may_be_empty() -> None:
    for sides in (parameters()[:1], ()), ((), parameters()[1:]):
        [one] = [*sides[0], *sides[1]]
        before = one.detach().clone()
        optimizer = MuonWithAdamW(*sides, lr=0.02, weight_decay=0.0)
        one.sum().backward()
        optimizer.step()
        assert not torch.equal(one, before)


def test_what_is_saved_goes_on_to_the_same_numbers() -> None:
    matrix, vector = parameters()
    learn(matrix, vector, [MuonWithAdamW([matrix], [vector], lr=0.02, weight_decay=0.1)], 6)
    begun = parameters()
    first = MuonWithAdamW([begun[0]], [begun[1]], lr=0.02, weight_decay=0.1)
    gradients = iter(range(6))
    learn_from(begun, first, gradients, 2)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    copies = [torch.nn.Parameter(one.detach().clone()) for one in begun]
    second = MuonWithAdamW([copies[0]], [copies[1]], lr=1.0, weight_decay=0.0)
    second.load_state_dict(torch.load(file, weights_only=True))
    learn_from(copies, second, gradients, 4)
    assert torch.equal(copies[0], matrix)
    assert torch.equal(copies[1], vector)


def learn_from(values: Any, optimizer: Any, numbers: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        ((values[0] ** 2).sum() * (next(numbers) + 1) + (values[1] ** 3).sum()).backward()
        optimizer.step()


def test_a_scheduler_moves_both_parts() -> None:
    matrix, vector = parameters()
    optimizer = MuonWithAdamW([matrix], [vector], lr=0.02, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(step > 0))
    before = matrix.detach().clone(), vector.detach().clone()
    learn(matrix, vector, [optimizer], 1)
    assert torch.equal(matrix, before[0])
    assert torch.equal(vector, before[1])
    scheduler.step()
    learn(matrix, vector, [optimizer], 1)
    assert not torch.equal(matrix, before[0])
    assert not torch.equal(vector, before[1])


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_norms_and_the_last_layer_do_not_learn_by_muon(tied: bool) -> None:
    config = transformers.Qwen2Config(
        vocab_size=40, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=tied,
    )  # fmt: skip
    model = transformers.Qwen2ForCausalLM(config)
    matrices, others = matrices_and_others(model)
    names = {id(one): name for name, one in model.named_parameters()}
    assert len(matrices) == 2 * 7
    assert all("proj.weight" in names[id(one)] for one in matrices)
    assert sum(one.numel() for one in (*matrices, *others)) == sum(p.numel() for p in model.parameters())
    model.model.layers[0].requires_grad_(False)
    assert len(matrices_and_others(model)[0]) == 7
