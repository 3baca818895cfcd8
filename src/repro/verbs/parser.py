"""The verbs, and the parser of the words behind one."""

import argparse

from repro.errors import UserError

VERBS = {
    "train": "train one net, or sweep over many with -m",
    "reproduce": "train what a published experiment lacks, then judge its claims",
    "figures": "redraw figures, claims and pages from the committed tables; never trains",
    "table": "published number | ours ± interval (n) | verdict, for a paper or an experiment",
    "report": "one page of every claim, figure and setting, from the committed tables: results/index.html",
    "status": "how many runs of each experiment are done, failed, missing, stale",
    "list": "components and experiments, each with a line on what it is",
    "data": "list, fetch or verify data files",
    "show": "the tables of one finished run again, and its overview figure; --html makes a page of it",
    "compare": "finished runs side by side: settings, final metrics, differences seed by seed, curves",
    "diagnose": "the Hessian of a finished run's loss and its spectrum",
    "completion": "a completion script for your shell",
}

SCALES = "published (the scale an experiment's tables are committed at), smoke, quick, full, or one of its own"


def parser(verb: str, examples: str) -> argparse.ArgumentParser:
    """A verb's parser, with examples under its help."""

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]
            raise UserError(f"{message}; see: repro {verb} --help")

    return Parser(
        prog=f"repro {verb}",
        description=VERBS[verb][0].upper() + VERBS[verb][1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
