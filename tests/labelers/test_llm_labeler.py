"""The labeler of language models: states, windows, failures, options; with scripted answers and a tiny model."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import hilum
from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.core.records import RowStatus, Section
from hilum.core.vocabulary import CHEXPERT14, NIH14, Finding, State, Vocabulary
from hilum.labelers import ModelLabels, ReportSpans, get_labeler
from hilum.labelers._llm_card import LlmCard, save_card
from hilum.labelers._llm_engine import cache_folder
from hilum.labelers._prompt import load_prompt
from hilum.models.engine import Question, Reply
from hilum.models.fake import FakeEngine
from hilum.text.sections import select_sections

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

B, P, N, U = State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN
SMALL = Vocabulary("small", (Finding("Edema"), Finding("Clear", role="none")))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The folder of a model that was never trained."""
    from tiny_language_model import tiny_language_model

    return tiny_language_model(tmp_path_factory.mktemp("llm"), context=2048)


def words_of(question: Question) -> str:
    return question.messages[-1].content


def by_words(question: Question):
    """Edema as the text says it; Clear where it does not."""
    text = words_of(question).rsplit("mentioned.\n", maxsplit=1)[-1]
    if "unanswerable" in text:
        return "the server said nothing that could be used"
    edema = "negative" if "no edema" in text else "positive" if "edema" in text else "blank"
    return {"Edema": edema, "Clear": "negative" if edema == "positive" else "positive"}


def labeler_of(engine, **options):
    return get_labeler("llm", engine=engine, **{"vocabulary": SMALL, "prompt": "brief", **options})


def labels_of(text, engine=None, **options):
    [labels] = labeler_of(engine or FakeEngine(by_words), **options).label_batch([ReportSpans(text)])
    return labels


def long_report(last="There is edema."):
    return " ".join(f"Line {n} of lung {n} is in its place." for n in range(60)) + " " + last


def test_the_answers_become_states_and_no_finding_is_positive_or_blank():
    labeler = labeler_of(FakeEngine(by_words))
    found = labeler.label_batch([ReportSpans(t) for t in ("edema.", "no edema.", "", " \n", "Lines.")])
    assert [one.states for one in found] == [(P, B), (N, P), (B, B), (B, B), (B, P)]
    assert [one.status for one in found] == [
        RowStatus.LABELED, RowStatus.LABELED, RowStatus.EMPTY, RowStatus.EMPTY, RowStatus.LABELED,
    ]  # fmt: skip
    assert all(one.probabilities is None for one in found)


def test_the_sections_alone_are_asked_about():
    text = "HISTORY: edema. IMPRESSION: no edema."
    engine = FakeEngine(by_words)
    [labels] = labeler_of(engine).label_batch(
        [ReportSpans(text, (Section("impression", text.index("no"), len(text)),))]
    )
    assert labels["Edema"] is N
    assert "HISTORY" not in words_of(engine.questions[-1])


def test_probabilities_are_of_positive_and_what_no_finding_cannot_be_counts_as_blank():
    def script(question):
        values_IC = np.log([[0.1, 0.6, 0.2, 0.1], [0.1, 0.35, 0.4, 0.15]])
        return Reply((1, 2), values_IC)

    labels = labels_of("x", FakeEngine(script))
    assert labels.states == (P, B)
    assert labels.probabilities == pytest.approx((0.6, 0.35))
    doubtful = labels_of("x", FakeEngine(script), abstain_below=0.63)
    assert doubtful.states == (B, B)
    assert doubtful.abstained == ("Edema",)


def test_a_long_report_is_read_in_windows_that_are_put_together():
    engine = FakeEngine(by_words, sure=0.9, context=120)
    labels = labels_of(long_report(), engine)
    assert labels.windows > 3
    assert labels.states == (P, B)
    assert labels.probabilities == pytest.approx((0.9, 0.1 / 3))
    assert all(engine.count(question.messages) <= 120 for question in engine.questions)
    clear = labels_of(long_report("Lines."), FakeEngine(by_words, sure=0.9, context=120))
    assert clear.states == (B, P)
    assert clear.probabilities is not None
    assert clear.probabilities[1] == pytest.approx(0.9)


def test_a_context_of_ones_own_makes_the_windows_smaller():
    few = labels_of(long_report(), FakeEngine(by_words, context=300)).windows
    assert labels_of(long_report(), FakeEngine(by_words, context=300), context=100).windows > few > 1


def test_a_question_that_turns_out_too_long_is_asked_again_in_halves():
    class Surprised(FakeEngine):
        """A server whose context nobody knows."""

        def __init__(self):
            super().__init__(by_words, context=120)
            self.most, self.context = self.context, None

        def ask(self, questions):
            self.context = self.most
            replies = super().ask(questions)
            self.context = None
            return replies

    engine = Surprised()
    labels = labels_of(long_report(), engine)
    assert labels.states == (P, B)
    assert labels.windows > 3
    assert labels.windows < len(engine.questions)
    seen = " ".join(words_of(question) for question in engine.questions)
    assert all(f"Line {n} of" in seen for n in range(60))


def test_what_never_fits_fails_alone():
    def script(question):
        return (
            Reply(problem="too long for it", too_long=True)
            if "long" in words_of(question)
            else by_words(question)
        )

    found = labeler_of(FakeEngine(script)).label_batch(
        [ReportSpans("edema."), ReportSpans("long " * 100), ReportSpans("no edema.")]
    )
    assert [one.status for one in found] == [RowStatus.LABELED, RowStatus.FAILED, RowStatus.LABELED]
    assert isinstance(found[1], ModelLabels)
    assert found[1].problem.startswith("too long for it, also with a piece of the report alone")
    assert "--prompt brief" in found[1].problem


def test_a_report_without_an_answer_fails_and_costs_no_other():
    found = labeler_of(FakeEngine(by_words)).label_batch(
        [ReportSpans("edema."), ReportSpans("unanswerable"), ReportSpans("no edema.")]
    )
    assert [one.states for one in found] == [(P, B), (B, B), (N, P)]
    assert found[1].status is RowStatus.FAILED
    assert found[1].problem == "the server said nothing that could be used"
    table = hilum.label(
        ["edema.", "unanswerable", None],
        labeler="llm",
        engine=FakeEngine(by_words),
        vocabulary=SMALL,
        prompt="brief",
    )
    assert [one.status.value for one in table] == ["labeled", "failed", "empty"]


def test_one_window_without_an_answer_fails_the_report():
    def script(question):
        return "no answer" if "Line 59" in words_of(question) else by_words(question)

    labels = labels_of(long_report(), FakeEngine(script, context=120))
    assert (labels.status, labels.states, labels.probabilities) == (RowStatus.FAILED, (B, B), None)


def test_an_error_that_no_question_survives_is_raised_at_once():
    class Down(FakeEngine):
        def ask(self, questions):
            self.questions += questions
            raise InputError("the server is down")

    engine = Down()
    with pytest.raises(InputError, match="the server is down"):
        hilum.label(["a.", "b."], labeler="llm", engine=engine, vocabulary=SMALL)
    assert len(engine.questions) == 2


def test_evidence_is_the_sentence_without_which_the_label_is_less_likely():
    text = "Heart is big. There is edema today. Lines."
    labeler = labeler_of(FakeEngine(by_words, sure=0.9))
    reports = [ReportSpans(text), ReportSpans("unanswerable")]
    plain = labeler.label_batch(reports)
    done = labeler.explain_batch(reports, plain)
    [evidence] = done[0].deciding("Edema")
    assert text[evidence.start : evidence.end] == "There is edema today"
    assert evidence.entry == "llm/occlusion"
    assert done[1].evidence == ()
    assert [(x.states, x.probabilities, x.status) for x in done] == [
        (x.states, x.probabilities, x.status) for x in plain
    ]


def few_shot_file(folder, rows=2, columns=("Edema", "Clear")):
    path = folder / "shots.csv"
    lines = [f"report,{','.join(columns)}"] + [
        f"Example {n}.,{','.join('1' * len(columns))}" for n in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_examples_are_shown_first_and_change_the_stamp(tmp_path):
    engine = FakeEngine(by_words)
    labeler = labeler_of(engine, few_shot=few_shot_file(tmp_path))
    labeler.label_batch([ReportSpans("edema.")])
    assert [m.role for m in engine.questions[-1].messages] == ["user", "assistant"] * 2 + ["user"]
    assert engine.questions[-1].messages[1].content == "Edema: positive\nClear: positive"
    assert labeler.stamp["few_shot"].startswith("2, sha256 ")
    assert "few_shot" not in labeler_of(engine).stamp


def test_a_report_is_not_shown_its_own_answer(tmp_path):
    engine = FakeEngine(by_words)
    path = tmp_path / "shots.csv"
    path.write_text(
        'report,Edema,Clear\n"FINDINGS: Edema.\nIMPRESSION: Wet.",1,0\nExample 1.,1,1\n', encoding="utf-8"
    )
    labeler = labeler_of(engine, few_shot=path)
    whole = "FINDINGS: Edema.\nIMPRESSION: Wet."
    sections = select_sections(whole, "both")
    for report in (
        ReportSpans(whole),
        ReportSpans(whole, sections),
        ReportSpans("Example 1."),
        ReportSpans("New."),
    ):
        labeler.label_batch([report])
    shown = [[m.content for m in q.messages if m.role == "user"][:-1] for q in engine.questions]
    assert [len(one) for one in shown[-4:]] == [1, 1, 1, 2]
    assert "Example 1." in shown[-4][0]
    assert "Wet." in shown[-2][0]


def test_examples_that_cannot_be_used_are_refused(tmp_path):
    (tmp_path / "half.csv").write_text(
        "report,Edema,Clear,abstained,status\nWet.,1,,Clear,labeled\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"row 1 is not labeled, or not for every finding"):
        labeler_of(FakeEngine(by_words), few_shot=tmp_path / "half.csv")
    engine = FakeEngine(by_words)
    with pytest.raises(InputError, match=r"has 17 examples; at most 16"):
        labeler_of(engine, few_shot=few_shot_file(tmp_path, 17))
    with pytest.raises(InputError, match=r"there is no column for Clear\. An example answers for every"):
        labeler_of(engine, few_shot=few_shot_file(tmp_path, 2, ("Edema",)))
    with pytest.raises(InputError, match=r"and its 16 examples is .* tokens long .*fewer examples"):
        labeler_of(FakeEngine(by_words, context=120), few_shot=few_shot_file(tmp_path, 16))


def test_the_stamp_says_prompt_findings_and_model():
    labeler = get_labeler("llm", engine=FakeEngine(by_words), vocabulary="nih14")
    assert labeler.vocabulary is NIH14
    prompt = load_prompt("full")
    assert labeler.stamp["prompt"] == f"full {prompt.version}"
    assert labeler.stamp["prompt_sha256"] == prompt.digest
    assert labeler.stamp["engine"] == "fake"
    other = get_labeler("llm", engine=FakeEngine(by_words))
    assert other.vocabulary is CHEXPERT14
    assert other.stamp["vocabulary_sha256"] != labeler.stamp["vocabulary_sha256"]


def test_a_trained_model_is_asked_as_it_was_trained(tiny, tmp_path):
    for file in tiny.iterdir():
        (tmp_path / file.name).symlink_to(file)
    save_card(tmp_path, LlmCard(load_prompt("brief"), SMALL, "impression"))
    labeler = get_labeler("llm", model=str(tmp_path), device="cpu", threads=1)
    assert labeler.vocabulary == SMALL
    assert labeler.stamp["prompt"].startswith("brief")
    assert labeler.traits.section == "impression"
    other = get_labeler(
        "llm", model=str(tmp_path), device="cpu", threads=1, prompt="full", vocabulary="nih14"
    )
    assert other.stamp["prompt"].startswith("full")
    assert any("was trained for small" in note for note in other.traits.notes)
    assert any("trained with another prompt" in note for note in other.traits.notes)


def test_scoring_and_generation_label_alike_and_nothing_is_unparsable(tiny):
    texts = [
        "Mild edema. No effusion.",
        "x" * 3000,
        long_report(),
        "\u00e9 \ud800 \U0001fac1",
        "Edema: positive\n",
    ]
    given = [ReportSpans(text) for text in texts]
    scored = get_labeler("llm", model=str(tiny), device="cpu", threads=1, prompt="brief", context=700)
    stepped = get_labeler(
        "llm", model=str(tiny), device="cpu", threads=1, prompt="brief", answer="generation", context=700
    )
    one, two = scored.label_batch(given), stepped.label_batch(given)
    assert [x.status for x in one] == [RowStatus.LABELED] * 5
    assert [x.states for x in one] == [x.states for x in two]
    assert [x.windows for x in one] == [x.windows for x in two]
    assert one[1].windows > 1
    assert all(math.isclose(p, q) for x, y in zip(one, scored.label_batch(given), strict=True)
               for p, q in zip(x.probabilities, y.probabilities, strict=True))  # fmt: skip
    assert all(x.probabilities is None for x in two)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs a model, and none was named"),
        (
            {"endpoint": "http://user:secret@localhost:1/v1?key=1"},
            r"Which model of the server localhost:1/v1 is",
        ),
        (
            {"endpoint": "http://h/v1", "model": "m", "answer": "scoring"},
            "--answer is for a model on this machine",
        ),
        (
            {"endpoint": "http://h/v1", "model": "m", "abstain_below": 0.5},
            "--abstain-below is for a model on",
        ),
        ({"model": "m", "requests": 2, "cache": "x"}, "--requests, --cache are for a server"),
        ({"model": "m", "timeout": 5}, "--timeout is for a server"),
        ({"endpoint": "http://h/v1", "model": "m", "timeout": 0}, "--timeout is in seconds, above 0; got 0"),
        ({"model": "m", "context": 0}, "--context is at least 1; got 0"),
        ({"model": "m", "abstain_below": 2}, "is a probability from 0 to 1; got 2"),
        (
            {"model": "m", "answer": "generation", "abstain_below": 0.5},
            "needs probabilities, which --answer scoring",
        ),
        (
            {"endpoint": "http://h/v1", "model": "m", "api_key_env": "HILUM_NO_KEY"},
            "variable HILUM_NO_KEY, which",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message) as error:
        get_labeler("llm", **options)
    assert "secret" not in str(error.value)


def test_a_model_here_needs_the_extra_of_language_models(monkeypatch):
    monkeypatch.setattr("hilum.labelers._llm_engine.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'torch'.*hilum\[llm\]"):
        get_labeler("llm", model="m")


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(UnknownNameError, match="no way of answering 'guess'"):
        get_labeler("llm", model="m", answer="guess")
    with pytest.raises(UnknownNameError, match="no prompt 'breif'"):
        get_labeler("llm", model="m", prompt="breif")
    with pytest.raises(UnknownNameError, match="no vocabulary 'chexpert15'"):
        get_labeler("llm", model="m", vocabulary="chexpert15")
    with pytest.raises(InputError, match=r"does not take --calibration; it takes model, .*, threads\."):
        get_labeler("llm", calibration="a.json")


def test_answers_of_servers_are_kept_where_the_user_keeps_such_files(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / "hilum" / "llm"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder(None) == Path.home() / ".cache" / "hilum" / "llm"
    assert cache_folder("none") is None
    assert cache_folder("here") == Path("here")
