"""The verbs. Nothing heavy is imported before a verb needs it: help and lists answer at once."""

import atexit
import gc
import importlib
import sys
from collections.abc import Sequence
from contextlib import suppress

from repro.errors import UserError, printable, unknown
from repro.memory import uncollected
from repro.verbs.output import any_terminal, of_output
from repro.verbs.parser import VERBS, with_results_dir

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
        with any_terminal():
            return _dispatch(words)
    except UserError as error:
        print(f"repro: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\nrepro: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `repro list | head`
        sys.stderr.close()
        return 0
    except OSError as error:
        if not of_output(error):
            raise
        with suppress(OSError):  # what is still in the buffer cannot be written either
            sys.stdout.close()
        print(f"repro: cannot write the output: {error.strerror}", file=sys.stderr)
        return 1


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
        return int(importlib.import_module("repro.verbs.completion").complete(rest))
    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)
    # A process that ends gives all its memory back; half a second goes into looking for cycles in it first.
    atexit.register(gc.freeze)
    with uncollected():
        module = importlib.import_module(f"repro.verbs.{verb}")
    return int(module.main(with_results_dir(verb, rest)))


def _help() -> str:
    lines = "\n".join(f"  {verb:<11} {says}" for verb, says in VERBS.items())
    return (
        "usage: repro VERB ...\n\n"
        "See for yourself what papers claim about why deep networks train or fail to train.\n\n"
        f"verbs:\n{lines}\n\n{EXAMPLES}"
    )


if __name__ == "__main__":
    sys.exit(main())
