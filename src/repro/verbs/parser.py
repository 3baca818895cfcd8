"""The verbs, and the parser of the words behind one."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from repro.errors import UserError

VERBS = {
    "train": "train one net, or sweep over many with -m",
    "reproduce": "train what a published experiment lacks, then judge its claims",
    "figures": "redraw figures, claims and pages from the committed tables; never trains",
    "table": "published number | ours ± interval (n) | verdict, for a paper or an experiment",
    "claims": "which claims were worded before their runs, by the order of commits",
    "report": "every claim, figure and setting of the committed tables: results/index.html and a page a paper",
    "playground": "a page for a lecture: small nets watched while they learn, from the committed tables",
    "status": "how many runs of each experiment are done, failed, missing, stale",
    "list": "components and experiments, each with a line on what it is",
    "data": "list, fetch or verify data files",
    "runs": "the runs there are, newest first: status, settings that are their own, final metrics; with filters",
    "show": "the tables of one finished run again, and its overview figure; --html makes a page of it",
    "compare": "finished runs side by side: settings, final metrics, differences seed by seed, curves",
    "diagnose": "the Hessian of a finished run's loss and its spectrum",
    "export": "a finished run's net as a plain state_dict, and a script of ten lines that loads it",
    "completion": "a completion script for your shell",
}

SCALES = "published (the scale an experiment's tables are committed at), smoke, quick, full, or one of its own"


def with_results_dir(verb: str, words: Sequence[str]) -> list[str]:
    """Words in which the folder of results is named as the verb has it: `--results-dir X`, or `results_dir=X`."""
    settings, flag = verb in ("train", "reproduce"), "--results-dir"
    if verb in ("list", "data", "completion"):
        return list(words)
    named: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == flag:
            folder = next(rest, "")
        elif word.startswith((f"{flag}=", "results_dir=")):
            folder = word.partition("=")[2]
        else:
            named.append(word)
            continue
        if folder == "" or folder.startswith("-"):
            raise UserError(f"{word} needs a folder; see: repro {verb} --help")
        folder = os.path.expanduser(folder)  # noqa: PTH111 - as a shell has it, for which nobody's home is no mistake
        named += [f"results_dir={folder}"] if settings else [flag, folder]
    return named


def parser(verb: str, examples: str) -> argparse.ArgumentParser:
    """A verb's parser, with examples under its help; its flags may stand anywhere among the words."""

    class Parser(argparse.ArgumentParser):
        def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
            return self.parse_intermixed_args(args, namespace)

        def error(self, message: str) -> None:  # type: ignore[override]
            raise UserError(f"{message}; see: repro {verb} --help")

    return Parser(
        prog=f"repro {verb}",
        description=VERBS[verb][0].upper() + VERBS[verb][1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
