"""`hilum label --labeler llm` and `hilum explain` with it: with a server that misbehaves and with a tiny model."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from commands import runner

from hilum.cli.explain import explain
from hilum.cli.label import SOME_FAILED, label

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from chat_server import ChatServer

pytest.importorskip("httpx2", reason="needs the extra llm")

run_label, run_explain = runner(label), runner(explain)

TEXTS = ["Edema=positive", "Edema=negative", "", "nobody can say", "Edema=uncertain"]
FINDINGS = '[[finding]]\nname = "Edema"\ndefinition = "fluid in the lung"\n[[finding]]\nname = "Clear"\nrole = "none"\n'


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def reports(tmp_path):
    path = tmp_path / "reports.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("report",), *((text,) for text in TEXTS)])
    return path


@pytest.fixture
def own(tmp_path):
    """A vocabulary of the user's."""
    path = tmp_path / "own.toml"
    path.write_text(f'vocabulary = "own"\n{FINDINGS}', encoding="utf-8")
    return path


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mute(call):
    """A plan: one report gets no answer that can be used."""
    return "refusal" if "nobody" in call.text else "honest"


def test_a_server_labels_and_what_it_does_not_answer_is_listed(reports, own, tmp_path):
    out, evidence = tmp_path / "out.csv", tmp_path / "evidence.jsonl"
    with ChatServer(mute) as server:
        given = (reports, "-o", out, "--labeler", "llm", "--endpoint", server.url, "--model", "tiny", "--vocabulary",
                 own, "--prompt", "brief", "--evidence", evidence)  # fmt: skip
        code, _, told = run_label(*given)
        asked = sum(server.asked.values())
        again, _, _ = run_label(*given, "--fresh")
        assert sum(server.asked.values()) - asked <= 2
    assert (code, again) == (SOME_FAILED, SOME_FAILED)
    rows = rows_of(out)
    assert [row["Edema"] for row in rows] == ["1", "0", "", "", "-1"]
    assert [row["status"] for row in rows] == ["labeled", "labeled", "empty", "failed", "labeled"]
    assert {row["Clear"] for row in rows} <= {"", "1"}
    assert [bool(row["problem"]) for row in rows] == [False, False, False, True, False]
    assert "FAILED: 1 of 5 reports got no answer and have no label" in told
    assert "1 reports got no answer and no label, in order: row 4" in told
    assert str(tmp_path / "kept" / "hilum" / "llm") in told
    assert "nobody can say" not in told
    record = json.loads(Path(f"{out}.provenance.json").read_text())
    assert record["status"]["failed"] == 1
    assert sum(record["failed"].values()) == 1
    assert record["labeler"]["prompt"].startswith("brief")
    lines = [json.loads(line) for line in evidence.read_text().splitlines()]
    assert lines[3]["status"] == "failed"
    assert lines[3]["problem"] == rows[3]["problem"]


def test_all_reports_may_fail_and_it_is_said_loudly(reports, own, tmp_path):
    out = tmp_path / "out.csv"
    with ChatServer("refusal") as server:
        code, _, told = run_label(
            reports, "-o", out, "--labeler", "llm", "--endpoint", server.url, "--model", "tiny", "--vocabulary", own,
            "--cache", "none",
        )  # fmt: skip
    assert code == SOME_FAILED
    assert "FAILED: 4 of 5 reports" in told
    assert [row["status"] for row in rows_of(out)] == ["failed", "failed", "empty", "failed", "failed"]


def test_a_key_that_is_missing_is_named_and_one_that_is_there_is_never_shown(
    reports, own, tmp_path, monkeypatch
):
    given = (reports, "-o", tmp_path / "o.csv", "--labeler", "llm", "--model", "tiny", "--vocabulary", own,
             "--api-key-env", "HILUM_KEY", "--endpoint")  # fmt: skip
    with ChatServer(mute) as server:
        code, _, told = run_label(*given, server.url)
        assert code == 2
        assert "HILUM_KEY" in told
        monkeypatch.setenv("HILUM_KEY", "sk-invented-9876543210")
        code, _, told = run_label(*given, server.url)
        sent = [dict(headers) for headers in server.headers]
    assert code == SOME_FAILED
    assert any("sk-invented-9876543210" in str(headers) for headers in sent)
    written = told + "".join(p.read_text("utf-8", "replace") for p in tmp_path.rglob("*") if p.is_file())
    assert "sk-invented" not in written


def test_probabilities_of_a_server_are_refused(reports, tmp_path):
    with ChatServer() as server:
        code, _, told = run_label(
            reports, "-o", tmp_path / "o.csv", "--labeler", "llm", "--endpoint", server.url, "--model", "tiny",
            "--probabilities",
        )  # fmt: skip
    assert code == 2
    assert "has no probabilities" in told
    assert "ask a model on this machine" in told


def test_a_server_that_is_down_is_told_once_and_another_address_is_taken(reports, own, tmp_path):
    given = (reports, "-o", tmp_path / "o.csv", "--labeler", "llm", "--model", "tiny", "--vocabulary", own,
             "--timeout", "30", "--endpoint")  # fmt: skip
    with ChatServer() as server:
        url = server.url
    code, _, told = run_label(*given, url)
    assert code == 2
    assert told.count("connection refused, asked 3 times") == 1
    assert f"ready when {url}/v1/models answers" in told
    with ChatServer() as server:
        code, _, told = run_label(*given, server.url)
    assert code == 0, told
    assert "the server was sent 4 requests" in told


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("torch")
    from tiny_language_model import tiny_language_model

    return tiny_language_model(tmp_path_factory.mktemp("llm"), context=2048)


def test_a_model_on_this_machine_labels_with_probabilities(reports, own, tiny, tmp_path):
    out = tmp_path / "out.csv"
    code, _, told = run_label(
        reports, "-o", out, "--labeler", "llm", "--model", tiny, "--device", "cpu", "--vocabulary", own,
        "--probabilities", "--abstain-below", "0.3",
    )  # fmt: skip
    assert code == 0, told
    rows = rows_of(out)
    assert [row["status"] for row in rows] == ["labeled", "labeled", "empty", "labeled", "labeled"]
    assert all(0 <= float(row["Edema probability"]) <= 1 for row in rows if row["status"] == "labeled")
    assert all(row["problem"] == "" for row in rows)
    assert "asked with the prompt 'full'" in told


def test_one_report_is_explained(own, tiny):
    code, shown, told = run_explain(
        "There is edema. Lines are in place.", "--labeler", "llm", "--model", tiny, "--device", "cpu", "--vocabulary",
        own, "--prompt", "brief", "--probabilities",
    )  # fmt: skip
    assert code == 0, told
    assert "Probability of positive: Edema 0." in shown


def test_a_report_that_cannot_be_explained_says_why(own):
    with ChatServer("refusal") as server:
        code, shown, _ = run_explain(
            "Edema.", "--labeler", "llm", "--endpoint", server.url, "--model", "tiny", "--vocabulary", own
        )
    assert code == 0
    assert "No label: " in shown
