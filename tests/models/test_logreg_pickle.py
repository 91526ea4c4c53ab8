from __future__ import annotations

import gzip
import os
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.core.errors import InputError
from hilum.core.vocabulary import COLUMN_ORDERS
from hilum.models.logreg_pickle import read_logreg

linear_model = pytest.importorskip("sklearn.linear_model")

FINDINGS = COLUMN_ORDERS["chexbert"]
PROTOCOLS = range(6)


def fitted(*, seed: int = 0) -> dict[str, Any]:
    """One model per finding on invented probabilities, made as the public program's are used."""
    rng = np.random.default_rng(seed)
    models = {}
    for place, finding in enumerate(FINDINGS):
        X_NK = rng.random((60, len(FINDINGS)))
        y_N = (X_NK[:, place] + 0.2 * rng.standard_normal(60) > 0.5).astype(int)
        models[finding] = linear_model.LogisticRegression(max_iter=500, class_weight={0: 0.4, 1: 0.6}).fit(
            X_NK, y_N
        )
    return models


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return fitted()


def written(path: Path, value: object, protocol: int = 3) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_labels_are_those_of_predict(tmp_path: Path, models: dict[str, Any], protocol: int) -> None:
    logreg = read_logreg(written(tmp_path / "l.pickle", models, protocol), inputs=FINDINGS)
    values_NK = np.random.default_rng(1).random((200, len(FINDINGS)))
    expected_NF = np.stack([models[f].predict(values_NK) for f in FINDINGS], axis=1)
    assert np.array_equal(logreg.apply(values_NK), expected_NF)
    odds_NF = np.stack([models[f].decision_function(values_NK) for f in FINDINGS], axis=1)
    np.testing.assert_allclose(logreg.log_odds(values_NK), odds_NF, rtol=1e-12, atol=1e-12)
    assert logreg.findings == logreg.inputs == FINDINGS


def test_module_names_of_older_releases_are_read(tmp_path: Path, models: dict[str, Any]) -> None:
    """scikit-learn 0.21 and numpy 1 wrote other module names."""
    content = pickle.dumps(models, protocol=0)
    for new, old in (
        (b"sklearn.linear_model._logistic", b"sklearn.linear_model.logistic"),
        (b"numpy._core.multiarray", b"numpy.core.multiarray"),
    ):
        assert new in content
        content = content.replace(new, old)
    (tmp_path / "l.pickle").write_bytes(content)
    logreg = read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
    assert logreg.intercepts[0] == float(models[FINDINGS[0]].intercept_[0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_columns_are_matched_by_name_where_models_have_names(
    tmp_path: Path, models: dict[str, Any], protocol: int
) -> None:
    backwards = fitted()
    for model in backwards.values():
        model.coef_ = model.coef_[:, ::-1].copy()
        model.feature_names_in_ = np.array(FINDINGS[::-1], dtype=object)
    plain = read_logreg(written(tmp_path / "a.pickle", models), inputs=FINDINGS)
    named = read_logreg(written(tmp_path / "b.pickle", backwards, protocol), inputs=FINDINGS)
    assert named == plain


@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_arrays_of_numbers_are_read(tmp_path: Path, dtype: str, order: Any) -> None:
    models = fitted()
    for model in models.values():
        model.coef_ = np.array(model.coef_, dtype=dtype, order=order)
        model.classes_ = np.array([0.0, 1.0])
    logreg = read_logreg(written(tmp_path / "l.pickle", models, 5), inputs=FINDINGS)
    np.testing.assert_array_equal(logreg.coefficients, np.concatenate([models[f].coef_ for f in FINDINGS]))


# --- what is no such file ---


def bad_model(**changes: Any) -> dict[str, Any]:
    models = fitted()
    for name, value in changes.items():
        if value is None:
            delattr(models["Edema"], name)
        else:
            setattr(models["Edema"], name, value)
    return models


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "no dictionary"),
        ({1: 2}, "no dictionary"),
        ({}, "lacks models for Enlarged Cardiomediastinum, .* and 9 more"),
        ({**fitted(), "Elbow": 1}, "models for Elbow"),
        ({**fitted(), "Edema": 1}, "no LogisticRegression for 'Edema'"),
        ({**fitted(), "Edema": linear_model.LogisticRegression()}, "without coef_, intercept_, classes_"),
        (bad_model(coef_=None), "without coef_"),
        (bad_model(coef_=np.zeros((1, 3))), "coef_ is not one row of 14"),
        (bad_model(coef_=np.full((1, 14), np.nan)), "finite"),
        (bad_model(coef_=np.array([["a"] * 14])), "coef_ is not one row"),
        (bad_model(coef_=[[0.0] * 14]), "coef_ is not one row"),
        (bad_model(intercept_=np.zeros(2)), "intercept_"),
        (bad_model(classes_=np.array([0, 1, 2])), "classes are not 0 and 1"),
        (bad_model(classes_=np.array([1, 0])), "classes are not 0 and 1"),
        (bad_model(feature_names_in_=np.array(["a"] * 14, dtype=object)), "columns are not the 14"),
    ],
)
def test_another_form_is_told(tmp_path: Path, value: object, said: str) -> None:
    path = written(tmp_path / "l.pickle", value)
    with pytest.raises(InputError, match=said) as caught:
        read_logreg(path, inputs=FINDINGS)
    assert str(path) in str(caught.value)
    assert "Next step" in str(caught.value)


def test_a_missing_empty_large_or_cut_file_is_told(tmp_path: Path, models: dict[str, Any]) -> None:
    path = tmp_path / "l.pickle"
    with pytest.raises(InputError, match="is no file"):
        read_logreg(path, inputs=FINDINGS)
    whole = pickle.dumps(models)
    for content in (b"", b"hello", whole[:-1], whole[: len(whole) // 2], b"\x80\x09."):
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as a pickle"):
            read_logreg(path, inputs=FINDINGS)
    path.write_bytes(whole + b"\0" * 5_000_000)
    with pytest.raises(InputError, match="bytes"):
        read_logreg(path, inputs=FINDINGS)


def test_compressed_and_joblib_files_say_what_to_do(tmp_path: Path, models: dict[str, Any]) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump(models, tmp_path / "a.joblib")
    with pytest.raises(InputError, match=r"joblib.*pickle\.dump"):
        read_logreg(tmp_path / "a.joblib", inputs=FINDINGS)
    joblib.dump(models, tmp_path / "b.joblib", compress=3)
    with pytest.raises(InputError, match="zlib"):
        read_logreg(tmp_path / "b.joblib", inputs=FINDINGS)
    (tmp_path / "c.gz").write_bytes(gzip.compress(pickle.dumps(models)))
    with pytest.raises(InputError, match="gzip"):
        read_logreg(tmp_path / "c.gz", inputs=FINDINGS)


# --- hostile files ---

MARK = "hilum_test_was_run"


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def nested(bomb: object) -> dict[str, Any]:
    """The bomb deep inside an otherwise good file."""
    models = fitted()
    models["Edema"].warm_start = [{"x": (1, bomb)}]
    return models


SHELL = f"touch {MARK}"
PYTHON = f"open({MARK!r}, 'w').close()"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("place", [lambda bomb: bomb, lambda bomb: {**fitted(), "Edema": bomb}, nested])
@pytest.mark.parametrize(
    "bomb",
    [Calls(os.system, SHELL), Calls(eval, PYTHON), Calls(exec, PYTHON)],
    ids=["system", "eval", "exec"],
)
def test_a_pickle_that_calls_something_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: Calls, place: Any, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "l.pickle", place(bomb), protocol)
    with pytest.raises(InputError, match=r"asks for (posix|nt|builtins|__builtin__)\.(system|eval|exec)"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
    assert not (tmp_path / MARK).exists()


def test_the_bombs_of_these_tests_do_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Calls(exec, PYTHON)))
    assert (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch " + MARK.encode() + b"'\ntR.",
        b"(S'touch " + MARK.encode() + b"'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x10numpy._core.numeric\x8c\x0bopen.__call\x93.",
        b"cnumpy\ndtype.__class__.__base__\n.",
        b"csklearn.linear_model\nLogisticRegression.__init__.__globals__\n.",
        b"c__main__\nMARK\n.",
        b"chilum.models.logreg_pickle\n_Reader\n.",
        b"\x82\x01.",
        b"Pid\n.",
        b"\x80\x02X\x02\x00\x00\x00idQ.",
    ],
)
def test_other_ways_to_name_something_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "l.pickle").write_bytes(content)
    with pytest.raises(InputError):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
    assert not (tmp_path / MARK).exists()


def test_no_module_is_imported(tmp_path: Path) -> None:
    (tmp_path / "l.pickle").write_bytes(b"cthis_module_is_not_there\nx\n.")
    with pytest.raises(InputError, match=r"asks for this_module_is_not_there\.x"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
    (tmp_path / "l.pickle").write_bytes(b"cantigravity\nx\n.")
    with pytest.raises(InputError, match="asks for antigravity"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
    assert "antigravity" not in sys.modules


def test_what_may_be_called_cannot_be_changed(tmp_path: Path) -> None:
    """BUILD on an allowed function sets its attributes in an ordinary unpickler."""
    (tmp_path / "l.pickle").write_bytes(b"c_codecs\nencode\n}S'x'\nI1\nsb.")
    with pytest.raises(InputError, match="a change of what it may call"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
    (tmp_path / "l.pickle").write_bytes(b"cnumpy\ndtype\n(N}S'values'\nI1\nstb.")
    with pytest.raises(InputError):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)


def test_only_estimators_are_reconstructed(tmp_path: Path) -> None:
    (tmp_path / "l.pickle").write_bytes(
        b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR."
    )
    with pytest.raises(InputError, match="_reconstructor of something else"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)


def test_a_small_file_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    for content in (
        b"\x80\x02Nr" + struct.pack("<I", 2**31 - 1) + b".",
        b"\x80\x05\x8e" + struct.pack("<Q", 2**40) + b"x.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N.",
    ):
        (tmp_path / "l.pickle").write_bytes(content)
        with pytest.raises(InputError):
            read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)


def test_arrays_that_claim_more_than_they_hold_are_told(tmp_path: Path) -> None:
    """The shape is the file's own word; only the bytes that are there are read."""
    content = pickle.dumps(fitted(), protocol=4)
    assert b"K\x01K\x0e\x86" in content
    (tmp_path / "l.pickle").write_bytes(content.replace(b"K\x01K\x0e\x86", b"K\x01K\xfe\x86"))
    with pytest.raises(InputError, match="coef_ is not one row"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)


def test_modules_of_the_users_own_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class with the right name elsewhere is another class."""
    own = types.ModuleType("my_models")

    class LogisticRegression:
        pass

    LogisticRegression.__module__ = "my_models"
    LogisticRegression.__qualname__ = "LogisticRegression"
    own.LogisticRegression = LogisticRegression  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_models", own)
    written(tmp_path / "l.pickle", {"Edema": LogisticRegression()})
    with pytest.raises(InputError, match=r"asks for my_models\.LogisticRegression"):
        read_logreg(tmp_path / "l.pickle", inputs=FINDINGS)
