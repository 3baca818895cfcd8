"""Short Python programs and what they print, after Zaremba and Sutskever (2014), Learning to Execute.

A program is written as its lines, each followed by `#`, then `print(EXPRESSION)@`; the answer ends with a dot:
`c=4086#for x in range(7):c-=(850 if 1855>2570 else 6092)#print(c)@-38558.`
"""

from collections.abc import Callable, Iterator
from random import Random
from zlib import crc32

ALPHABET = " #()*+-.0123456789:;<=>@abcdefghijlnoprstx"
"""Every character that a program or an answer can have, in ASCII order; a character's number is its place here."""

VARIABLES = "abcdefghij"
KINDS = 3  # of programs, told apart by their hash; no two kinds have a program in common

Difficulty = Callable[[], tuple[int, int]]
"""Digits of a literal and operations of a program; may be drawn afresh at each call."""

Lines = list[str]
Value = tuple[str, int]  # an expression and its value


class Author:
    """Writes programs one after the other.

    The operations of a program are drawn one by one, each of the six with the same probability; all but the first
    have the expression of the one before among their operands, at a random place. Other operands are literals, uniform
    on 1 ... 10^length; the length comes from a call of `difficulty` of their own. Factors and numbers of rounds are
    uniform on 1 ... 4·length, likewise. The number of operations is drawn once a program.

    Args:
        difficulty: see `Difficulty`; length 1 to 15, nesting 1 to 10.
        rng: everything random comes from it.
    """

    def __init__(self, difficulty: Difficulty, rng: Random) -> None:
        self.difficulty, self.random = difficulty, rng.random
        self.operations = (self._pair, self._multiple, self._same, self._assignment, self._loop, self._condition)
        self.names = [""]

    def write(self) -> tuple[str, str]:
        """A program and the answer to it."""
        self.names = list(VARIABLES)
        written: Lines = []
        kept: Value | None = None
        for _ in range(self.difficulty()[1]):
            lines, kept = self.operations[int(self.random() * 6)](kept)
            written += lines
        assert kept is not None
        return f"{''.join([f'{line}#' for line in written])}print({kept[0]})@", f"{kept[1]}."

    def _upto(self, most: int) -> int:
        return 1 + int(self.random() * most)

    def _literal(self) -> Value:
        value = 1 + int(self.random() * 10 ** self.difficulty()[0])
        return str(value), value

    def _factor(self) -> int:
        return 1 + int(self.random() * 4 * self.difficulty()[0])

    def _operands(self, kept: Value | None, count: int) -> list[Value]:
        found = [self._literal() for _ in range(count if kept is None else count - 1)]
        if kept is not None:
            found.insert(int(self.random() * count), kept)
        return found

    def _name(self) -> str:
        return self.names.pop(int(self.random() * len(self.names)))

    def _pair(self, kept: Value | None) -> tuple[Lines, Value]:
        (a, x), (b, y) = self._operands(kept, 2)
        return [], (f"({a}+{b})", x + y) if self.random() < 0.5 else (f"({a}-{b})", x - y)

    def _multiple(self, kept: Value | None) -> tuple[Lines, Value]:
        a, x = kept or self._literal()
        k = self._factor()
        return [], (f"({a}*{k})" if self.random() < 0.5 else f"({k}*{a})", x * k)

    def _same(self, kept: Value | None) -> tuple[Lines, Value]:
        return [], kept or self._literal()

    def _assignment(self, kept: Value | None) -> tuple[Lines, Value]:
        v, ((a, x), (b, y)) = self._name(), self._operands(kept, 2)
        return [f"{v}={a};"], (f"({v}+{b})", x + y) if self.random() < 0.5 else (f"({v}-{b})", x - y)

    def _loop(self, kept: Value | None) -> tuple[Lines, Value]:
        v, ((a, x), (b, y)), k = self._name(), self._operands(kept, 2), self._factor()
        sign, value = ("+", x + k * y) if self.random() < 0.5 else ("-", x - k * y)
        return [f"{v}={a}", f"for x in range({k}):{v}{sign}={b}"], (v, value)

    def _condition(self, kept: Value | None) -> tuple[Lines, Value]:
        (a, x), (b, y), (c, yes), (d, no) = self._operands(kept, 4)
        sign, holds = (">", x > y) if self.random() < 0.5 else ("<", x < y)
        return [], (f"({c} if {a}{sign}{b} else {d})", yes if holds else no)


def programs(author: Author, kind: int) -> Iterator[tuple[str, str]]:
    """Without end: programs of one kind, with their answers; others are thrown away."""
    while True:
        program, answer = author.write()
        if kind_of(program + answer) == kind:
            yield program, answer


def kind_of(text: str) -> int:
    """0, 1 or 2: the CRC-32 of a program with its answer, modulo 3.

    The authors' code takes a hash of its own modulo 3; this one is as good and some fifty times faster.
    """
    return crc32(text.encode()) % KINDS


def longest(length: int, nesting: int) -> int:
    """No program is longer, its answer included.

    Args:
        length: greatest number of digits of a literal, 10^length not counted.
        nesting: greatest number of operations.
    """
    literal, factor = length + 1, len(str(4 * length))
    # What an operation adds: a loop around one more literal, or a condition with three more.
    operation = max(len("v=#for x in range():v+=#v") + factor + literal, len("( if > else )") + 3 * literal)
    answer = len("-.") + literal + nesting * factor
    return literal + nesting * operation + len("print()@") + answer
