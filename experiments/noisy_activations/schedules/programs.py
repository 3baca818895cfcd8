"""Programs that get harder as they are learnt: the four strategies of Zaremba and Sutskever (2014)."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal

from repro.errors import number, whole

Level = tuple[int, int]  # digits of a literal, operations of a program


class Programs:
    """Difficulty by level: (1, 1) at first, then longer literals, then deeper programs, up to the target.

    A draw of the difficulty is, with probability `mixed`, uniform on 1 ... length and 1 ... nesting of the target;
    otherwise it is `otherwise`. "Combined" has 0.2 and the level, "naive" 0 and the level, "mix" 1, "baseline" 0 and
    the target. In all of them the level moves on, as in the authors' code: it is what validation is drawn at, and
    behind the last one the learning rate falls.

    Args:
        mixed: in [0, 1].
        otherwise: level or target.
        accuracy: validation accuracy in (0, 1] above which the level is done.
        patience: it is done too when the training accuracy was higher so many evaluations ago; 1 or more.
        decay: of the learning rate where there is no harder level, in (0, 1].
        least: share of the learning rate below which training ends, in [0, 1).
    """

    def __init__(
        self,
        mixed: float,
        otherwise: Literal["level", "target"],
        accuracy: float,
        patience: int,
        decay: float,
        least: float,
    ) -> None:
        self.mixed = number("curriculum.mixed", mixed, 0, 1)
        self.otherwise = otherwise
        self.accuracy = number("curriculum.accuracy", accuracy, 0, 1, ends="(]")
        self.patience = whole("curriculum.patience", patience, 1)
        self.decay = number("curriculum.decay", decay, 0, 1, ends="(]")
        self.least = number("curriculum.least", least, 0, 1, ends="[)")


class Clock:
    """How far a run has come in the curriculum.

    Attributes:
        level: what is learnt now.
        changes: how often the level was done, at the last one too.
        rate: factor on the learning rate.
    """

    def __init__(self, rules: Programs, target: Level) -> None:
        self.rules, self.target = rules, target
        self.level: Level = (1, 1)
        self.changes, self.rate = 0, 1.0
        self.heard: list[float] = []  # training accuracies, the first being that of the last change

    @property
    def finished(self) -> bool:
        """Whether the learning rate has become too small to go on."""
        return self.rate < self.rules.least

    @property
    def progress(self) -> float:
        """Levels left behind as a share of all but the last, 1 at the target."""
        (length, nesting), (most, deepest) = self.level, self.target
        levels = most * deepest
        return ((nesting - 1) * most + length - 1) / (levels - 1) if levels > 1 else 1.0

    def observe(self, train: float, valid: float) -> bool:
        """Take note of the accuracies at an evaluation; whether the level is done."""
        rules, heard = self.rules, self.heard
        done = valid > rules.accuracy or (len(heard) >= rules.patience and heard[-rules.patience] > train)
        if done:
            self._move_on()
            heard.clear()
        heard.append(train)
        return done

    def _move_on(self) -> None:
        (length, nesting), (most, deepest) = self.level, self.target
        self.changes += 1
        if length < most:
            self.level = length + 1, nesting
        elif nesting < deepest:
            self.level = 1, nesting + 1
        else:
            self.rate *= self.rules.decay

    def difficulty(self, rng: Random) -> Callable[[], Level]:
        """What training programs are drawn from at the level of now."""
        mixed, usual = self.rules.mixed, self.level if self.rules.otherwise == "level" else self.target
        (most, deepest), draw = self.target, rng.random

        def difficulty() -> Level:
            if draw() < mixed:
                return 1 + int(draw() * most), 1 + int(draw() * deepest)
            return usual

        return difficulty

    def state(self) -> dict[str, Any]:
        """All that changes, in plain containers."""
        return {"level": list(self.level), "changes": self.changes, "rate": self.rate, "heard": list(self.heard)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""
        length, nesting = state["level"]
        self.level = length, nesting
        self.changes, self.rate, self.heard = state["changes"], state["rate"], list(state["heard"])
