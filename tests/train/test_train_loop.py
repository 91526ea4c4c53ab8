from __future__ import annotations

import os
import signal

import pytest

from hilum.train.loop import LoopSettings, Position, Stop, learning_rate


def settings(schedule: str, warmup: float) -> LoopSettings:
    return LoopSettings(1, 1, 1.0, schedule, warmup, None, 1, 0, 1)


def test_the_rate_stays_or_goes_up_and_down_in_straight_lines() -> None:
    assert [learning_rate(settings("constant", 0.0), s, steps=4) for s in range(4)] == [1.0] * 4
    rates = [learning_rate(settings("linear", 0.2), s, steps=10) for s in range(10)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[2:] == pytest.approx([1 - i / 8 for i in range(8)])


def test_a_position_survives_being_saved() -> None:
    position = Position(epoch=1, total=7, sums=[0.5], history=[{"score": 0.1}])
    assert Position(**position.to_dict()) == position
    position.next_task()
    assert (position.task, position.epoch, position.total, position.history) == (1, 0, 7, [])
    assert position.past == [[{"score": 0.1}]]


def test_ctrl_c_asks_once_and_stops_at_once_the_second_time() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGINT)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
