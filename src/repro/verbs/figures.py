"""`repro figures`: everything that follows from the committed tables, without training."""

from collections.abc import Sequence
from pathlib import Path

from repro.verbs.parser import SCALES, parser

EXAMPLES = """\
  repro figures
  repro figures training_deep_networks/initialization
  repro figures training_deep_networks/initialization --scale quick --out figures
"""


def main(words: Sequence[str]) -> int:
    """Run `repro figures`."""
    verb = parser("figures", EXAMPLES)
    verb.add_argument("what", nargs="?", help="PAPER or PAPER/EXPERIMENT; none = all")
    verb.add_argument("--scale", default="published", help=f"which tables: {SCALES}")
    verb.add_argument("--out", type=Path, help="folder for the figures, instead of beside the tables")
    verb.add_argument("--results-dir", default="results", help="folder of the tables")
    asked = verb.parse_args(words)

    from repro.errors import UserError
    from repro.storage.files import chosen_by
    from repro.storage.locks import locked
    from repro.study.experiment import results_folder, select
    from repro.study.judging import judge
    from repro.study.publish import illustrate, tabulate, update_page

    drawn = 0
    chosen = [(e, results_folder(asked.results_dir, e, asked.scale)) for e in select(asked.what)]
    if asked.what and not any((folder / "runs.csv").exists() for _, folder in chosen):
        experiment, folder = chosen[0]
        raise UserError(f"no tables in {folder}; make them with: repro reproduce {experiment.name} scale={asked.scale}")
    for experiment, folder in chosen:
        if not (folder / "runs.csv").exists():
            print(f"{experiment.name}: no tables at scale {asked.scale}, left out")
            continue
        out = asked.out / experiment.name if asked.out else None
        with locked(folder):
            judge(experiment, folder)
            tabulate(experiment, folder)
            with chosen_by("--out"):
                files = illustrate(experiment, folder, out)
        print(*files, sep="\n")
        drawn += len(files)
    # Once a paper: its page is filled from the tables of all its experiments.
    for experiment, folder in {e.paper: (e, folder) for e, folder in chosen}.values():
        update_page(experiment, folder)
    print(f"{drawn} files drawn")
    return 0
