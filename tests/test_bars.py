"""Bars: on a terminal, of what lasts; elsewhere a line about what lasts long; nothing where nobody can see."""

import io
import subprocess
import sys
from collections.abc import Callable

import pytest

from repro import bars
from repro.bars import Outlook, bar, say, spell, tracked


class Terminal(io.StringIO):
    """Somebody is watching."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass."""
    time = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: time[0])

    def passed(seconds: float) -> None:
        time[0] += seconds

    return passed


def test_a_bar_is_seen_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, seen in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with bar(10, "collecting", "run", delay=0) as shown:
            shown.update(3)
            shown.refresh()
        assert ("collecting:  30%" in stream.getvalue()) == seen
        assert ("3/10" in stream.getvalue()) == seen


def test_what_is_done_soon_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert list(tracked([1, 2, 3], "quick")) == [1, 2, 3]
    assert terminal.getvalue().strip() == ""
    monkeypatch.setattr(bars, "DELAY", 0.0)
    assert list(tracked(iter("abc"), "letters", total=3)) == ["a", "b", "c"]


@pytest.mark.parametrize("closed", [True, False])
def test_without_standard_error_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], closed: bool
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    say("a word")
    with bar(10, "collecting", delay=0) as shown:
        shown.update(3)
    assert list(tracked([1], "work")) == [1]
    assert capsys.readouterr().out == ""


def test_what_lasts_long_is_said_once_where_there_is_no_bar(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    outlook = Outlook(1000, "training")
    # A minute until the first step, with imports and a first evaluation, says nothing of those that follow.
    for step, seconds in ((1, 60.0), (2, 2.0), (3, 2.0), (4, 2.0), (5, 2.0)):
        clock(seconds)
        outlook.reached(step)
    assert capsys.readouterr().err == "repro: training takes about 33 min more (4 of 1,000 steps done)\n"


def test_what_is_over_soon_is_not_announced(clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    outlook = Outlook(100, "training", done=50)
    for step in (51, 60):
        clock(5.0)
        outlook.reached(step)
    assert capsys.readouterr().err == ""


def test_a_resumed_run_is_judged_by_its_own_steps(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    outlook = Outlook(1000, "training", done=900)
    outlook.reached(901)
    clock(10.0)
    outlook.reached(902)
    assert "about 16 min more" in capsys.readouterr().err


def test_times_are_said_in_the_unit_that_suits() -> None:
    assert [spell(x) for x in (3, 119, 120, 7199, 7200, 200_000)] == [
        "3 s",
        "119 s",
        "2 min",
        "120 min",
        "2 h",
        "2 days",
    ]


KILLED = """
import os, signal
from repro.bars import bar
with bar(3, "before"):
    pass
child = os.fork()
if child == 0:
    from tqdm import tqdm
    tqdm.get_lock().acquire()
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
with bar(3, "after"):
    print("went on")
"""


def test_a_forked_process_that_is_killed_in_a_bar_stops_no_other() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "went on\n"
