"""`repro train`: Hydra's own command line around one function."""

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import DictConfig

from repro.composition import ERRORS, check_groups, explain, with_choices, without_nulls
from repro.config import resolve
from repro.errors import UserError
from repro.paths import conf_dir

HELP = """\
usage: repro train [-m] [GROUP=OPTION] [KEY=VALUE] ...

Train one net, or sweep over many with -m. The run's folder, tables and overview.png are named at the end.
A finished run is skipped (force=true trains it anew); an interrupted one resumes.

  GROUP=OPTION     another data set, architecture, activation ...:  repro list
  KEY=VALUE        another setting:                                 repro train --cfg job
  -m, --multirun   every combination of values given as a,b,c or range(n)
  --cfg job        print the composed configuration and train nothing
  any other flag of Hydra 1.3 works as well

examples:
  repro train activation=noisy_tanh
  repro train dataset=mnist architecture.depth=20 initialization=he activation=relu trainer.epochs=5
  repro train backward=linear activation=sigmoid normalization=batch replicas=5
  repro train -m activation=tanh,noisy_tanh initialization=xavier,he seed=range(3)
  repro train -m activation=tanh,relu hydra/launcher=joblib hydra.launcher.n_jobs=2
  repro train experiment=training_deep_networks/initialization variant=tanh_large
  repro train dataset=table dataset.path=my.csv dataset.target=species
"""


def main(words: Sequence[str]) -> int:
    """Run `repro train`."""
    if "-h" in words or "--help" in words:
        print(HELP)
        return 0
    from repro.reproduction import with_variant

    expanded = with_variant(list(words))
    if "-m" not in words and "--multirun" not in words:
        single(expanded)
        return 0
    return sweep(expanded, compare=True)


def single(words: Sequence[str]) -> None:
    """Run one configuration in this process."""
    mistakes: list[UserError] = []

    def task(cfg: DictConfig) -> float | None:
        # Hydra announces whatever a job raises; a user's mistake is told in one line, by `repro.cli.main`.
        try:
            return job(cfg)
        except UserError as mistake:
            mistakes.append(mistake)
        except ERRORS as error:  # a value that refers to another one is looked up only here
            mistakes.append(explain(error, words))
        return None

    run_hydra(task, words)
    if mistakes:
        raise mistakes[0]


def sweep(words: Sequence[str], compare: bool = False) -> int:
    """Run a sweep through Hydra's sweeper and launcher; 1 when a job of it failed.

    Args:
        compare: end with a table of the runs' test metrics.
    """
    given = dict(w.split("=", 1) for w in words if "=" in w)
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    folder = Path(given.get("hydra.sweep.dir", f"{given.get('results_dir', 'results')}/sweeps/{now}"))
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    try:
        run_hydra(job, [*words, f"hydra.sweep.dir={folder}"])
    except UserError:
        if folder.is_dir() and {f.name for f in folder.iterdir()} <= {"multirun.yaml"}:  # no job has started
            (folder / "multirun.yaml").unlink(missing_ok=True)
            for empty in made:
                empty.rmdir()
        raise
    outcomes = [
        json.loads(f.read_text()) for f in sorted(folder.glob("*/outcome.json"), key=lambda f: int(f.parent.name))
    ]
    failed = [o for o in outcomes if o["status"] == "failed"]
    by_error: dict[str, list[str]] = {}
    for outcome in failed:
        by_error.setdefault(outcome["error"], []).append(" ".join(outcome["overrides"]))
    for error, jobs in by_error.items():
        print(f"repro: failed: {error}", *jobs, sep="\n  ", file=sys.stderr)
    if compare:
        _print_comparison([o for o in outcomes if o["status"] != "failed"])
    diverged = sum(o["status"] == "diverged" for o in outcomes)
    done = len(outcomes) - len(failed) - diverged
    print(f"{len(outcomes)} runs: {done} done, {diverged} diverged, {len(failed)} failed")
    return 1 if failed else 0


def _print_comparison(outcomes: Sequence[dict[str, Any]]) -> None:
    """One row a run: what it differs by, and its test metrics (mean and interval over replicas)."""
    import pandas as pd

    from repro.results import report
    from repro.results.statistics import estimate, with_interval

    shared = set.intersection(*(set(o["overrides"]) for o in outcomes)) if len(outcomes) > 1 else set()
    rows = []
    for outcome in outcomes:
        row = {"run": " ".join(w for w in outcome["overrides"] if w not in shared), "status": outcome["status"]}
        for name, values in outcome["tested"].items():
            found = estimate(values)
            row[name] = with_interval(found.value, found.interval, found.n)
        rows.append(row)
    if rows:
        print(report.table(pd.DataFrame(rows).fillna(""), "text"))


def run_hydra(task: Callable[[DictConfig], Any], words: Sequence[str]) -> None:
    """Hand words over to Hydra's own command line.

    Raises:
        UserError: whatever Hydra says about them, in one line.
    """
    import hydra

    words = _checked(words)
    # Hydra prints errors and exits by itself unless told to let them through.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    before, sys.argv = sys.argv, ["repro train", *words]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir().resolve()), config_name="train")(task)()
    except InstantiationException:
        raise
    except ERRORS as error:
        raise explain(error, [w for w in words if "=" in w and not w.startswith("-")]) from error
    except OSError as error:  # Hydra makes the sweep's folder
        raise UserError(f"cannot use {error.filename or 'a file'}: {error.strerror or error}; "
                        "mend it, or choose another results_dir") from error  # fmt: skip
    finally:
        sys.argv = before


def _checked(words: Sequence[str]) -> list[str]:
    """The words with groups that are null as Hydra takes them; `experiment=null` is left out, being the default.

    Raises:
        UserError: a flag that Hydra does not have, or has with other values.
    """
    from hydra._internal.utils import get_args_parser

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            _, flags = get_args_parser().parse_known_args(list(words))
    except SystemExit as refusal:
        if refusal.code == 0:  # --version
            raise
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise UserError(f"{reason}; see: repro train --help") from None
    if flags:
        raise UserError(f"unknown flag {flags[0]}; see: repro train --help")
    check_groups(words)
    return without_nulls([word for word in words if word not in ("experiment=null", "experiment=")])


def job(cfg: DictConfig) -> float | None:
    """One run, wherever a launcher has put it.

    Returns:
        The watched metric (trainer.monitor) at the end, which is what optimizing sweepers want.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    outcome: dict[str, Any] = {"overrides": list(HydraConfig.get().overrides.task)}
    try:
        outcome |= _train(cfg, quiet=sweeping)
    except Exception as error:
        if not sweeping:
            raise
        # One failing run must not end a sweep: it is told at the end, and the exit status says so.
        outcome |= {"status": "failed", "error": str(error) or type(error).__name__}
    if sweeping:
        from repro.results.files import write_json

        write_json(Path(HydraConfig.get().runtime.output_dir) / "outcome.json", outcome)
    value: float | None = outcome.get("value")
    return value


def _train(cfg: DictConfig, quiet: bool) -> dict[str, Any]:
    from hydra.core.hydra_config import HydraConfig

    from repro.training.run import train

    run = resolve(with_choices(cfg, HydraConfig.get().runtime.choices))
    outcome = train(run)
    if quiet:
        print(f"{outcome.status}{'' if outcome.trained else ' before'}: {outcome.folder}", file=sys.stderr)
    else:
        from repro.commands.show import present

        if not outcome.trained:
            print("already trained; force=true trains it anew\n")
        present(outcome.folder)
    summary = json.loads((outcome.folder / "summary.json").read_text())
    values = [m.get(run.trainer.monitor) for m in summary["metrics"].values()]
    known = [v for v in values if v is not None]
    tested = {
        name: [m[name] for m in summary["metrics"].values() if name in m] for name in ("test_loss", "test_accuracy")
    }
    return {
        "status": outcome.status,
        "folder": str(outcome.folder),
        "trained": outcome.trained,
        "value": sum(known) / len(known) if known else None,
        "tested": {name: values for name, values in tested.items() if values},
    }
