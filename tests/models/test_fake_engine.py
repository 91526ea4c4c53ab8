import math

import numpy as np
import pytest

from hilum.core.errors import InputError
from hilum.models.engine import Engine, Message, Question, Reply
from hilum.models.fake import FakeEngine

CHOICES = ("positive", "negative", "uncertain", "blank")


def question(text: str) -> Question:
    return Question((Message("system", "Read."), Message("user", text)), ("Edema", "Pneumonia"), CHOICES)


def test_is_an_engine_and_answers_by_piece_of_text() -> None:
    engine = FakeEngine({"wet": {"Edema": "positive"}, "lost": "the server is down"}, default="blank")
    assert isinstance(engine, Engine)
    replies = engine.ask([question("lungs wet"), question("lost page"), question("dry")])
    assert [reply.chosen for reply in replies] == [(0, 3), (), (3, 3)]
    assert replies[1].problem == "the server is down"
    assert [asked.messages[-1].content for asked in engine.questions] == ["lungs wet", "lost page", "dry"]
    assert replies[0].usage.asked == 1
    assert replies[0].log_probabilities is None


def test_a_function_may_be_the_script() -> None:
    given = Reply(problem="no")
    engine = FakeEngine(lambda asked: given if "x" in asked.messages[-1].content else {"Edema": "negative"})
    first, second = engine.ask([question("x"), question("y")])
    assert first is given
    assert second.problem == "the script has no answer for 'Pneumonia'"


def test_probabilities_sum_to_one() -> None:
    (reply,) = FakeEngine(default="uncertain", sure=0.7).ask([question("")])
    assert reply.log_probabilities is not None
    assert np.exp(reply.log_probabilities).sum(axis=1) == pytest.approx(1)
    assert reply.log_probabilities[0, 2] == pytest.approx(math.log(0.7))


def test_a_long_question_is_too_long() -> None:
    engine = FakeEngine(default="blank", context=12)
    short, long = engine.ask([question("a b c"), question("a b c d")])
    assert engine.count(question("a b c").messages) == 12
    assert not short.too_long
    assert long.too_long
    assert "13 tokens" in long.problem


def test_a_wrong_word_in_the_script_is_an_error() -> None:
    with pytest.raises(InputError, match="'maybe'; allowed: positive"):
        FakeEngine(default="maybe").ask([question("")])
    with pytest.raises(InputError, match="between 0 and 1"):
        FakeEngine(sure=1)
