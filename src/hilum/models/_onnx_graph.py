"""The graphs that `onnx_model` writes: a report encoder as torch exports it, and its products in int8."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError, MissingExtraError
from hilum.models._neural import torch, transformers

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise MissingExtraError("onnx", "neural") from error

_LEAST = 1e-12
_MIDDLE = 128
"""What stands for zero in unsigned int8; ONNX Runtime multiplies unsigned by signed numbers fastest."""


def float_graph(model: Any, *, names: tuple[str, str, str], opset: int) -> Any:
    """The float32 graph of a ReportEncoder: inputs and output called `names`, batch and length free.

    Raises InputError when torch cannot export it.
    """
    twin = _eager(model)
    ids_BT = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 0]])
    data: Any = io.BytesIO()
    axes = {names[0]: {0: "batch", 1: "tokens"}, names[1]: {0: "batch", 1: "tokens"}, names[2]: {0: "batch"}}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter(
            "ignore"
        )  # the tracer's, of every shape that it meets, and that it is getting old
        try:
            torch.onnx.export(
                twin,
                (ids_BT, (ids_BT > 0).long()),
                data,
                input_names=list(names[:2]),
                output_names=[names[2]],
                dynamic_axes=axes,
                opset_version=opset,
                dynamo=False,
            )
        except Exception as error:  # whatever a model does that the tracer cannot follow
            said = " ".join(str(error).split())[:300]
            raise InputError(
                f"torch {torch.__version__} cannot export this encoder ({model.bert.config.model_type}): {said}. "
                "Next step: label with torch (precision int8 works there too)."
            ) from error
    return onnx.load_from_string(data.getvalue())


def _eager(model: Any) -> Any:
    """A copy on the CPU whose attention is written out, which every version of the exporter can follow."""
    twin = copy.deepcopy(model).cpu().float().eval()
    config = copy.deepcopy(twin.bert.config)
    bert = transformers.AutoModel.from_config(config, attn_implementation="eager").eval()
    bert.load_state_dict(twin.bert.state_dict(), strict=False)
    twin.bert = bert
    return twin


def serialized(graph: Any, about: Mapping[str, str]) -> bytes:
    """The bytes of a model with its metadata. Raises InputError above 2 GiB, the most that one file can have."""
    twin = onnx.ModelProto()
    twin.CopyFrom(graph)
    helper.set_model_props(twin, dict(about))
    try:
        data: bytes = twin.SerializeToString(deterministic=True)
    except ValueError as error:
        raise InputError(
            f"An ONNX file holds 2 GiB at most: {error}. Next step: label with torch."
        ) from error
    return data


def int8_graph(graph: Any, *, weight_bits: int) -> Any:
    """The graph with int8 products and embeddings. What is not a product with fixed weights stays as it is."""
    twin = onnx.ModelProto()
    twin.CopyFrom(graph)
    return _Quantiser(twin, weight_bits).run()


class _Quantiser:
    """Rewrites a model that it owns, node by node, in order."""

    def __init__(self, model: Any, weight_bits: int) -> None:
        self.model, self.graph = model, model.graph
        self.largest = 2 ** (weight_bits - 1) - 1
        self.fixed = {tensor.name: tensor for tensor in self.graph.initializer}
        self.nodes: list[Any] = []
        self.rows: dict[str, tuple[str, str]] = {}

    def run(self) -> Any:
        for name, value in (
            ("hilum_least", np.float32(_LEAST)),
            ("hilum_share", np.float32(1 / 127)),
            ("hilum_middle_float", np.float32(_MIDDLE)),
            ("hilum_middle", np.uint8(_MIDDLE)),
            ("hilum_last_axis", np.array([-1], dtype=np.int64)),
        ):
            self._keep(name, np.asarray(value))
        for node in self.graph.node:
            if node.op_type == "MatMul" and self._matrix(node.input[1]):
                self._product(node)
            elif node.op_type == "Gather" and self._matrix(node.input[0]):
                self._table(node)
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        return self.model

    def _matrix(self, name: str) -> bool:
        tensor = self.fixed.get(name)
        return tensor is not None and len(tensor.dims) == 2 and tensor.data_type == onnx.TensorProto.FLOAT

    def _product(self, node: Any) -> None:
        """y = (x / sx as whole numbers) (W / sw as whole numbers) sx sw."""
        rows, scale = self._quantised_rows(node.input[0])
        whole, scales = self._quantised_weights(node.input[1], axis=0)
        y = node.output[0]
        self._add("MatMulInteger", (rows, whole, "hilum_middle"), f"{y}_whole")
        self._add("Cast", (f"{y}_whole",), f"{y}_float", to=onnx.TensorProto.FLOAT)
        self._add("Mul", (f"{y}_float", scale), f"{y}_rows")
        self._add("Mul", (f"{y}_rows", scales), y)

    def _quantised_rows(self, x: str) -> tuple[str, str]:
        if x not in self.rows:
            self._add("Abs", (x,), f"{x}_abs")
            self._add("ReduceMax", (f"{x}_abs", "hilum_last_axis"), f"{x}_max", keepdims=1)
            self._add("Mul", (f"{x}_max", "hilum_share"), f"{x}_share")
            self._add("Max", (f"{x}_share", "hilum_least"), f"{x}_scale")
            self._add("Div", (x, f"{x}_scale"), f"{x}_parts")
            self._add("Round", (f"{x}_parts",), f"{x}_round")
            self._add("Add", (f"{x}_round", "hilum_middle_float"), f"{x}_moved")
            self._add("Cast", (f"{x}_moved",), f"{x}_int8", to=onnx.TensorProto.UINT8)
            self.rows[x] = (f"{x}_int8", f"{x}_scale")
        return self.rows[x]

    def _table(self, node: Any) -> None:
        """Rows of a table of embeddings, each times its own scale."""
        whole, scales = self._quantised_weights(node.input[0], axis=1)
        y, places = node.output[0], node.input[1]
        self._add("Gather", (whole, places), f"{y}_int8", axis=0)
        self._add("Cast", (f"{y}_int8",), f"{y}_float", to=onnx.TensorProto.FLOAT)
        self._add("Gather", (scales, places), f"{y}_scale", axis=0)
        self._add("Mul", (f"{y}_float", f"{y}_scale"), y)

    def _quantised_weights(self, name: str, *, axis: int) -> tuple[str, str]:
        names = (f"{name}_int8", f"{name}_scales")
        if names[0] not in self.fixed:
            weights = numpy_helper.to_array(self.fixed[name])
            largest = 127 if axis == 1 else self.largest
            scales = np.maximum(np.abs(weights).max(axis=axis, keepdims=True) / largest, _LEAST)
            scales = scales.astype(np.float32)
            self._keep(names[0], np.round(weights / scales).astype(np.int8))
            self._keep(names[1], scales if axis == 1 else scales[0])
        return names

    def _keep(self, name: str, value: npt.NDArray[Any]) -> None:
        self.fixed[name] = numpy_helper.from_array(value, name)
        self.graph.initializer.append(self.fixed[name])

    def _add(self, kind: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> None:
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{output}/{kind}", **attributes)
        )
