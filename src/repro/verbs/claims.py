"""`repro claims`: whether claims say truly which of them were worded before their runs."""

from collections.abc import Sequence

from repro.verbs.parser import parser

EXAMPLES = """\
  repro claims check
  repro claims check noisy_activations/penn_treebank
"""


def main(words: Sequence[str]) -> int:
    """Run `repro claims`; 1 when a file says otherwise than the history."""
    verb = parser("claims", EXAMPLES)
    verb.add_argument("what", choices=("check",), help="compare `planned` of each claim with the order of commits")
    verb.add_argument("experiment", nargs="?", help="PAPER or PAPER/EXPERIMENT; none = all")
    asked = verb.parse_args(words)

    from repro.bars import tracked
    from repro.study.experiment import select
    from repro.study.planned import planned

    wrong, total, after, unseen = 0, 0, 0, 0
    for experiment in tracked(select(asked.experiment), "reading the history", "experiment"):
        for name, truth in planned(experiment).items():
            total, after = total + 1, after + (not truth)
            says = bool(experiment.claims[name].get("planned", True))
            unseen += truth and not says  # runs outside of the history were seen, which only the author knows
            if says and not truth:
                wrong += 1
                print(f"{experiment.name}: {name} was worded after its first run; add planned: false")
    print(f"{total} claims, {after} of them worded after their runs; {wrong} say otherwise", end="")
    print(f"; {unseen} more are said to be, after runs that the history does not have" if unseen else "")
    return 1 if wrong else 0
