"""`repro reproduce --verify`: train a few committed runs anew and compare every number with the tables."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from repro.bars import spell
from repro.errors import UserError, printable
from repro.storage.tables import is_number
from repro.study.experiment import Experiment
from repro.study.tolerance import is_share
from repro.verbs.parser import parser

if TYPE_CHECKING:
    from repro.study.verify import Again, Sample, Wanted

FLAGS = ("--runs", "--seed", "--longest", "--tolerance")  # that say how to verify


def flags(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of `repro reproduce` and the words besides them.

    Raises:
        UserError: an unknown flag, a value that it cannot have, or a flag of --verify without it.
    """
    for word in words:
        if word.startswith("-") and word.partition("=")[0] not in ("--verify", *FLAGS) and not is_number(word):
            raise UserError(f"unknown flag {word}; see: repro reproduce --help")
    verb = parser("reproduce", "")
    verb.add_argument("words", nargs="*")
    verb.add_argument("--verify", action="store_true")
    verb.add_argument("--runs", type=int, default=3)
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--longest", type=float, default=float("inf"))
    verb.add_argument("--tolerance", type=float)
    asked = verb.parse_args(words)
    if not asked.verify and (lonely := [w for w in words if w.partition("=")[0] in FLAGS]):
        raise UserError(f"{lonely[0]} goes with --verify; see: repro reproduce --help")
    if asked.runs < 1:
        raise UserError(f"--runs {asked.runs}: it is a number of runs, 1 or more")
    if not asked.longest >= 0:
        raise UserError(f"--longest {asked.longest}: it is a number from 0 on")
    if asked.tolerance is not None and not is_share(asked.tolerance):
        raise UserError(f"--tolerance {asked.tolerance}: it is a share of at least 0 and below 1")
    return asked, asked.words


def verify(chosen: Sequence[Experiment], wanted: "Wanted") -> int:
    """Verify experiments one after the other; 1 when the tables of one cannot be made again."""
    outcomes = {experiment.name: _experiment(experiment, wanted) for experiment in chosen}
    if len(chosen) > 1:
        named = {what: [name for name, own in outcomes.items() if own is what] for what in (True, False, None)}
        line = f"{len(named[True])} of {len(chosen)} experiments verified"
        line += f"; not as in their tables: {', '.join(named[False])}" if named[False] else ""
        print(line + (f"; nothing trained of {', '.join(named[None])}" if named[None] else ""))
    return 1 if False in outcomes.values() else 0


def _experiment(experiment: Experiment, wanted: "Wanted") -> bool | None:
    """Whether the tables can be made again, as far as it was tried; None where nothing was."""
    from repro.study.differences import worst
    from repro.study.verify import sample, train_again

    try:
        drawn = sample(experiment, wanted)
    except UserError as error:
        print(f"{experiment.name}: {printable(str(error))}\n", flush=True)
        return False
    print(_announced(drawn, wanted), flush=True)
    again = [train_again(drawn, run, wanted) for run in drawn.runs]
    if again:
        print(_table(again))
    if loose := _by_seeds(again):
        print(f"not number by number, only to what seeds differ by: {loose}")
    for one in again:
        if more := worst(one.found)[1]:
            print(f"{one.run} {one.variant}: {more} more metrics differ")
        if one.error:
            print(f"{one.run} {one.variant} cannot be trained again: {printable(one.error)}")
    if drawn.stale:
        print(f"{len(drawn.stale)} runs of the table cannot be composed any more: {', '.join(drawn.stale)}")
    bad = sum(one.fails for one in again)
    print(f"{_verdict(bad, again)}\n", flush=True)
    return False if bad or drawn.stale else True if again else None


def _announced(drawn: "Sample", wanted: "Wanted") -> str:
    plan = drawn.plan
    line = f"{plan.experiment.name} at scale {plan.scale}: {len(drawn.runs)} of {drawn.committed} runs trained again"
    line += f" (seed {wanted.seed}, {spell(drawn.seconds)} by their table)" if drawn.runs else ""
    return line + (f"; {drawn.long} that took more than {spell(wanted.longest)} left out" if drawn.long else "")


def _verdict(bad: int, again: "Sequence[Again]") -> str:
    if not again:
        return "nothing verified"
    if bad:
        return f"{bad} of {len(again)} runs cannot be made again as they are in the tables"
    largest = max((one.share for run in again for one in run.found), default=0.0)
    same = "all numbers are the same" if largest == 0 else f"largest difference {largest:.2g}"
    return f"{len(again)} runs made again in {spell(sum(run.seconds for run in again))}, {same}"


def _by_seeds(again: "Sequence[Again]") -> str:
    """The metrics that are held to what seeds of the same settings differ by, table by table."""
    named: dict[str, dict[str, None]] = {}
    for one in (one for run in again for one in run.found if one.by_seeds):
        named.setdefault(one.table.partition(".")[0], {})[one.metric] = None
    return "; ".join(f"{table} ({', '.join(metrics)})" for table, metrics in named.items())


def _table(again: "Sequence[Again]") -> str:
    import pandas as pd

    from repro.study.differences import worst
    from repro.text import tables

    rows = [
        (
            run.run,
            run.variant,
            one.table.partition(".")[0],
            f"{one.metric}, {one.where}",
            *(f"{value:.9g}" if isinstance(value, float) else str(value) for value in (one.committed, one.now)),
            f"{one.share:.2g}",
            one.held,
            "differs" if one.fails else "within" if one.share else "same",
        )
        for run in again
        for one in worst(run.found)[0]
    ]
    columns = [
        "run",
        "variant",
        "table",
        "largest difference",
        "committed",
        "now",
        "difference",
        "tolerance",
        "verdict",
    ]
    return tables.table(pd.DataFrame(rows, columns=columns), "text") if rows else ""
