"""The programs of Learning to Execute: what they print, how often each comes, which split they belong to."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from repro.experiments.noisy_activations.datasets.programs import ALPHABET, Author, kind_of, longest, programs
from repro.experiments.noisy_activations.schedules.programs import Clock, Programs

MIX = Programs(mixed=1.0, otherwise="level", accuracy=0.95, patience=5, decay=0.8, least=0.002)


def author(length: int, nesting: int, seed: int = 0) -> Author:
    return Author(lambda: (length, nesting), Random(seed))


def printed(program: str) -> str:
    """What Python makes of a program."""
    said: list[int] = []
    assert program.endswith("@")
    exec(program[:-1].replace("#", "\n"), {"__builtins__": {}, "print": said.append, "range": range})
    (answer,) = said
    return f"{answer}."


@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (2, 1), (1, 5), (3, 2), (6, 3), (15, 10)])
def test_python_says_the_same(length: int, nesting: int) -> None:
    writer = author(length, nesting)
    for _ in range(300):
        program, answer = writer.write()
        assert printed(program) == answer, program
        assert len(program + answer) <= longest(length, nesting)


def test_python_says_the_same_where_every_number_has_a_difficulty_of_its_own() -> None:
    rng = Random(3)
    writer = Author(Clock(MIX, (6, 3)).difficulty(rng), rng)
    written = [writer.write() for _ in range(400)]
    assert all(printed(program) == answer for program, answer in written)
    sums = [program[7:-3].split("+") for program, _ in written if program.startswith("print((")]
    digits = [tuple(map(len, pair)) for pair in sums if len(pair) == 2 and "".join(pair).isdigit()]
    assert any(one != other for one, other in digits)


class Scripted:
    """Stands for `Random`: says what it is told to."""

    def __init__(self, *draws: float) -> None:
        self.draws: Iterator[float] = iter(draws)

    def random(self) -> float:
        return next(self.draws)


PAIR, MULTIPLE, SAME, ASSIGNMENT, LOOP, CONDITION = (i / 6 + 0.01 for i in range(6))
LEFT, RIGHT = 0.0, 0.9  # the first of two, the second


# Every line's draws worked out by hand: a literal of two digits is 1 + floor(100 r), a factor 1 + floor(8 r).
@pytest.mark.parametrize(
    ("nesting", "draws", "program", "answer"),
    [
        (1, (PAIR, 0.115, 0.065, LEFT), "print((12+7))@", "19."),
        (1, (PAIR, 0.115, 0.995, RIGHT), "print((12-100))@", "-88."),
        (1, (MULTIPLE, 0.335, 0.99, LEFT), "print((34*8))@", "272."),
        (1, (MULTIPLE, 0.335, 0.0, RIGHT), "print((1*34))@", "34."),
        (1, (SAME, 0.335), "print(34)@", "34."),
        (1, (ASSIGNMENT, 0.25, 0.445, 0.055, RIGHT), "c=45;#print((c-6))@", "39."),
        (1, (LOOP, 0.99, 0.085, 0.035, 0.3, LEFT), "j=9#for x in range(3):j+=4#print(j)@", "21."),
        (1, (CONDITION, 0.105, 0.205, 0.305, 0.405, LEFT), "print((31 if 11>21 else 41))@", "41."),
        (1, (CONDITION, 0.105, 0.205, 0.305, 0.405, RIGHT), "print((31 if 11<21 else 41))@", "31."),
        # the expression so far comes second, in the loop's body; the pair comes first; the name c is taken already
        (
            3,
            (ASSIGNMENT, 0.25, 0.445, 0.055, RIGHT, LOOP, 0.25, 0.085, RIGHT, 0.3, RIGHT, PAIR, 0.015, LEFT, RIGHT),
            "c=45;#d=9#for x in range(3):d-=(c-6)#print((d-2))@",
            "-110.",
        ),
    ],
)
def test_worked_by_hand(nesting: int, draws: tuple[float, ...], program: str, answer: str) -> None:
    rng = Scripted(*draws)
    assert Author(lambda: (2, nesting), rng).write() == (program, answer)  # type: ignore[arg-type]
    assert list(rng.draws) == []
    assert printed(program) == answer


def test_alphabet() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 42
    assert list(ALPHABET) == sorted(ALPHABET)
    writer = author(6, 3)
    assert set("".join("".join(writer.write()) for _ in range(1000))) == set(ALPHABET)


def test_the_six_operations_come_equally_often() -> None:
    writer = author(3, 1)
    written = [writer.write()[0] for _ in range(12000)]
    loops, conditions = (sum(word in program for program in written) for word in ("range", "if"))
    assignments, products = (sum(mark in program for program in written) for mark in (";", "*"))
    plain = sum(program[6:-2].isdigit() for program in written)
    for count in (loops, conditions, assignments, products, plain):
        assert count == pytest.approx(2000, abs=4 * 41)  # four standard deviations


def test_the_expression_so_far_takes_any_place() -> None:
    writer, seen = author(3, 1), Counter[int]()
    for _ in range(4000):
        seen[[text for text, _ in writer._operands(("so far", 0), 4)].index("so far")] += 1
    assert sorted(seen) == [0, 1, 2, 3]
    assert all(count == pytest.approx(1000, abs=4 * 27) for count in seen.values())


def test_lengths_and_trivial_accuracies_at_the_target() -> None:
    """The numbers that a generator written independently of this one came to."""
    writer = author(6, 3, seed=5)
    written = [writer.write() for _ in range(6000)]
    answers = [answer for _, answer in written]
    characters = sum(map(len, answers))
    assert sum(program.count("#") + 1 for program, _ in written) / 6000 == pytest.approx(2.5, abs=0.05)
    assert sum(len(program) for program, _ in written) / 6000 == pytest.approx(59, abs=1)
    assert characters / 6000 == pytest.approx(8.2, abs=0.1)
    assert max(map(len, answers)) <= 12
    assert 6000 / characters == pytest.approx(0.122, abs=0.002)
    best = [
        Counter(a[place] for a in answers if len(a) > place).most_common(1)[0][1]
        for place in range(12)
        if any(len(a) > place for a in answers)
    ]
    assert sum(best) / characters == pytest.approx(0.224, abs=0.006)


# ---- splits ----


def test_kind() -> None:
    assert kind_of("123456789") == 0xCBF43926 % 3 == 2  # the check value of CRC-32
    assert kind_of("a") == 0xE8B7BE43 % 3 == 0
    assert kind_of("") == 0


@pytest.mark.parametrize("length", [1, 6])
def test_kinds_are_disjoint(length: int) -> None:
    found = [set(islice(programs(author(length, 1, seed=2), kind), 1000)) for kind in range(3)]
    assert all(kind_of(program + answer) == kind for kind, some in enumerate(found) for program, answer in some)
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]


def test_kinds_are_equally_common() -> None:
    writer = author(6, 3)
    kinds = Counter(kind_of("".join(writer.write())) for _ in range(6000))
    assert all(kinds[kind] == pytest.approx(2000, abs=4 * 37) for kind in range(3))
