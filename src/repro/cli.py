"""The verbs. Nothing heavy is imported before a verb needs it: help and lists answer at once."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from repro.errors import UserError, printable

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

EXAMPLES = """\
examples:
  repro train activation=noisy_tanh
  repro train -m activation=tanh,noisy_tanh initialization=xavier,he 'seed=range(3)'
  repro reproduce training_deep_networks/initialization scale=quick
  repro list activation

`repro VERB --help` shows more of each.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Returns:
        The exit status: 0 done, 1 some runs failed, 2 a mistake in what was asked for, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except UserError as error:
        print(f"repro: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\nrepro: {interrupt or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `repro list | head`
        sys.stderr.close()
        return 0


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"repro {version('repro')}")
        return 0
    verb, rest = words[0], words[1:]
    if verb == "_complete":
        return int(importlib.import_module("repro.commands.completion").complete(rest))
    if verb not in VERBS:
        from repro.errors import unknown

        raise unknown("verb", verb, VERBS)
    return int(importlib.import_module(f"repro.commands.{verb}").main(rest))


def _help() -> str:
    lines = "\n".join(f"  {verb:<11} {says}" for verb, says in VERBS.items())
    return (
        "usage: repro VERB ...\n\n"
        "See for yourself what papers claim about why deep networks train or fail to train.\n\n"
        f"verbs:\n{lines}\n\n{EXAMPLES}"
    )


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


if __name__ == "__main__":
    sys.exit(main())
