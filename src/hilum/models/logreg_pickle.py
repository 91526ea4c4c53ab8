"""The pickled logistic regressions of VisualCheXbert, read without running anything of the pickle.

What the public program has (src/label.py of stanfordmlgroup/VisualCheXbert): `logreg_models.pickle` in the checkpoint
folder, a dictionary from each of the 14 conditions to a fitted scikit-learn `LogisticRegression` (0.22.1). Each is
given the probabilities of all 14 conditions, in the order of CONDITIONS, and its `predict` is the label, 1 or 0.

A pickle is a program. This reader gives it nothing to call: the few names that such a file needs stand for inert
placeholders of this module, numpy's included, and any other name is refused. Arrays are then made from the plain
bytes that the placeholders have collected.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.core.errors import InputError
from hilum.core.vocabulary import SHIPPED, Vocabulary
from hilum.models.encoder_spec import LogReg

_MOST_BYTES = 5_000_000
_MOST_VALUES = 1_000_000
_SHOWN = 5
_NEXT = "Next step: give logreg_models.pickle as the public VisualCheXbert offers it."
_COMPRESSED = {
    b"\x78": "zlib",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x04\x22M\x18": "lz4",
}
_NUMBER_TYPES = frozenset(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"])


class _RefusedError(Exception):
    """The pickle asks for a name that is not on the list, or makes of one what no estimator makes."""


class _Inert:
    """A stand-in: it keeps the state that the pickle gives it, and does nothing."""

    values: tuple[object, ...] = ()
    state: object = None

    def __init__(self, *values: object) -> None:
        self.values = values

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Estimator(_Inert):
    """A `LogisticRegression`; its fields are in `state`."""


class _Dtype(_Inert):
    """A numpy dtype: its code is the first of `values`, the byte order the second entry of `state`."""


class _Array(_Inert):
    """A numpy array: `state` is (version, shape, dtype, Fortran order, bytes or list)."""


class _Plain(_Inert):
    """`object` and the class `ndarray`: only named, as arguments."""


class _Call:
    """A function that a pickle may call, in a shell that it cannot change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *values: object) -> object:
        return self._function(*values)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("a change of what it may call")


def _reconstructor(cls: object, *_: object) -> _Inert:
    """What `copyreg._reconstructor` is for, with nothing but an estimator to make."""
    if cls is not _Estimator:
        raise _RefusedError("copyreg._reconstructor of something else")
    return _Estimator()


def _empty_array(*_: object) -> _Array:
    return _Array()


def _from_buffer(buffer: object, dtype: object, shape: object, order: object = "C", *_: object) -> _Array:
    array = _Array()
    array.state = (1, shape, dtype, order == "F", buffer)
    return array


def _scalar(dtype: object, raw: object = b"") -> _Array:
    array = _Array()
    array.state = (1, (), dtype, False, raw)
    return array


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """Protocols 0 to 2 write bytes as text and this call."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _RefusedError("_codecs.encode of something else")
    return text.encode("latin-1")


_CORES = ("numpy.core", "numpy._core")
_NAMES: Mapping[tuple[str, str], object] = {
    **{
        (f"sklearn.linear_model{end}", "LogisticRegression"): _Estimator
        for end in ("", "._logistic", ".logistic")
    },
    **{(f"{core}.multiarray", "_reconstruct"): _Call(_empty_array) for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _Call(_scalar) for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _Call(_from_buffer) for core in _CORES},
    ("numpy", "ndarray"): _Plain,
    ("numpy", "dtype"): _Dtype,
    **{(module, "_reconstructor"): _Call(_reconstructor) for module in ("copyreg", "copy_reg")},
    **{(module, "object"): _Plain for module in ("builtins", "__builtin__")},
    ("_codecs", "encode"): _Call(_encode),
}
"""Every name a pickle may ask for, and what it gets instead."""


class _Reader(pickle.Unpickler):
    """An unpickler whose names are all of `_NAMES`."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name. Raises `_RefusedError` for any that is not listed."""
        try:
            return _NAMES[(module, name)]
        except KeyError:
            raise _RefusedError(f"{module}.{name}") from None

    def persistent_load(self, pid: object) -> Any:
        """Nothing is outside the file."""
        raise _RefusedError(f"a persistent id {str(pid)[:40]!r}")


def read_logreg(path: str | Path, *, vocabulary: str = "chexpert14", inputs: Sequence[str]) -> LogReg:
    """The logistic regressions in a pickle, over the probabilities of `inputs`, one for each of `inputs`.

    Columns are matched by the names the models were fitted with where they have them, else they are in the order of
    `inputs`. Raises InputError when the file asks for anything but LogisticRegression, numpy arrays and plain values
    (nothing of it is run), is larger than 5 MB, compressed or broken, or a model is missing or of another form.
    """
    place = Path(path)
    models = _load(_content(place), place)
    if not isinstance(models, dict) or not all(isinstance(key, str) for key in models):
        raise _bad(place, "is no dictionary from findings to models")
    known = SHIPPED[vocabulary]
    names = {str(key): known.names[known.index(key)] for key in models if key in known}
    unknown = [key[:60] for key in models if key not in names]
    missing = [finding for finding in inputs if finding not in names.values()]
    if unknown or missing or len(names) != len(inputs):
        said = f"lacks models for {_few(missing)}" if missing else f"has models for {_few(unknown)}"
        raise _bad(place, said)
    by_finding = {names[key]: model for key, model in models.items()}
    rows = [_fields(by_finding[finding], finding, place) for finding in inputs]
    weights = [
        _weights(row, inputs, known, finding, place) for row, finding in zip(rows, inputs, strict=True)
    ]
    return LogReg(tuple(inputs), tuple(inputs), tuple(w for w, _ in weights), tuple(b for _, b in weights))


def _bad(path: Path, said: str) -> InputError:
    return InputError(f"{path} {said}. {_NEXT}")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise _bad(path, "is no file")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise _bad(
            path,
            f"has {size:,} bytes, and logistic regressions have a few thousand (at most {_MOST_BYTES:,})",
        )
    content = path.read_bytes()
    for start, name in _COMPRESSED.items():
        if content.startswith(start):
            raise _bad(
                path, f"is compressed with {name} (as joblib does), which is not read; unpack it first"
            )
    if b"joblib.numpy_pickle" in content:
        raise _bad(
            path, "was saved by joblib, whose format is not read; save the dictionary with pickle.dump"
        )
    return content


def _load(content: bytes, path: Path) -> object:
    try:
        _check_operations(content)
        return _Reader(io.BytesIO(content), encoding="latin1").load()
    except _RefusedError as error:
        raise _bad(
            path,
            f"asks for {str(error)[:120]}, and was not read: only LogisticRegression, numpy arrays and plain values "
            "are, because anything else could run code",
        ) from error
    except Exception as error:  # a hostile or broken pickle makes any of them
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise _bad(path, f"cannot be read as a pickle ({said})") from error


def _check_operations(content: bytes) -> None:
    """Every operation is well-formed, and memory is asked for only in proportion to the file."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        if "PUT" in operation.name and isinstance(argument, int) and argument > count:
            raise _RefusedError(f"a memo place {argument} behind {count} operations")
        if operation.name.startswith("EXT"):
            raise _RefusedError("a registered extension")


def _fields(model: object, finding: str, path: Path) -> Mapping[str, object]:
    if not isinstance(model, _Estimator) or not isinstance(model.state, dict):
        raise _bad(path, f"has no LogisticRegression for {finding!r}")
    missing = [name for name in ("coef_", "intercept_", "classes_") if name not in model.state]
    if missing:
        raise _bad(path, f"has a model for {finding!r} without {', '.join(missing)}: it was never fitted")
    return model.state


def _weights(
    fields: Mapping[str, object], inputs: Sequence[str], known: Vocabulary, finding: str, path: Path
) -> tuple[tuple[float, ...], float]:
    """Coefficients in the order of `inputs`, and the intercept, of one model."""
    where = f"has a model for {finding!r} whose"
    coefficients, intercept, classes = (_numbers(fields[n]) for n in ("coef_", "intercept_", "classes_"))
    if coefficients is None or coefficients.shape != (1, len(inputs)) or not np.isfinite(coefficients).all():
        raise _bad(path, f"{where} coef_ is not one row of {len(inputs)} finite numbers")
    if intercept is None or intercept.shape != (1,) or not np.isfinite(intercept).all():
        raise _bad(path, f"{where} intercept_ is no single finite number")
    if classes is None or classes.tolist() != [0, 1]:
        raise _bad(path, f"{where} classes are not 0 and 1")
    order = _order(fields.get("feature_names_in_"), inputs, known)
    if order is None:
        raise _bad(path, f"{where} columns are not the {len(inputs)} findings")
    return tuple(float(coefficients[0, place]) for place in order), float(intercept[0])


def _order(names: object, inputs: Sequence[str], known: Vocabulary) -> list[int] | None:
    """For each of `inputs` its column; None when the names that the model has are others."""
    if names is None:
        return list(range(len(inputs)))
    raw = names.state[4] if isinstance(names, _Array) and isinstance(names.state, tuple) else None
    if not isinstance(raw, list) or not all(isinstance(name, str) and name in known for name in raw):
        return None
    columns = [known.names[known.index(name)] for name in raw]
    return [columns.index(name) for name in inputs] if sorted(columns) == sorted(inputs) else None


def _numbers(array: object) -> npt.NDArray[np.float64] | None:
    """The numbers of a collected array, or None when it is none of numbers."""
    try:
        _, shape, dtype, fortran, raw = array.state  # type: ignore[attr-defined]
        code, order = str(dtype.values[0]), str(dtype.state[1] if dtype.state else "|")
        data = raw.encode("latin-1") if isinstance(raw, str) else bytes(raw)
        sizes = tuple(int(n) for n in shape)
        if code not in _NUMBER_TYPES or order not in "<>|=" or len(data) > 8 * _MOST_VALUES:
            return None
        flat = np.frombuffer(data, dtype=np.dtype(order + code))
        return np.reshape(flat, sizes, order="F" if fortran else "C").astype(np.float64)
    except (AttributeError, TypeError, ValueError, IndexError, UnicodeError):
        return None
