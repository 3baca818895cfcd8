"""Hydra's own command line around one function, which trains one run wherever a launcher has put it."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import DictConfig

from repro.config.compose import ERRORS, check_groups, explain, with_choices, without_nulls
from repro.config.internals import composed_once, flags_first
from repro.config.run import resolve
from repro.config.yaml_loader import fast_yaml
from repro.errors import UserError, printable
from repro.memory import uncollected
from repro.paths import conf_dir
from repro.storage.files import read_json, write_json
from repro.storage.run_files import read_summary
from repro.storage.search import OUTCOME
from repro.verbs.output import of_output

UNDER_WAY = "under way"
NOT_TO_SET = {
    "hydra.mode": "-m makes a sweep, and without it there is one run",
    "hydra.job.chdir": "each run has a folder of its own in results_dir=...",
    "hydra.sweep.subdir": "a sweep's jobs are numbered in its folder, hydra.sweep.dir=...",
}
"""Hydra's settings that would lead a run away from where it is looked for, and what there is instead."""


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
        with fast_yaml(), composed_once():
            hydra.main(version_base="1.3", config_path=str(conf_dir().resolve()), config_name="train")(task)()
    except InstantiationException:
        raise
    except ERRORS as error:
        raise explain(error, [w for w in words if "=" in w and not w.startswith("-")]) from error
    except ValueError as error:
        if "Unable to configure" not in str(error):
            raise
        reason = error.__cause__ or error
        raise UserError(f"hydra.job_logging: {' '.join(str(reason).split())}") from error
    except OSError as error:  # Hydra makes the sweep's folder
        if of_output(error):
            raise
        raise UserError(
            f"cannot use {error.filename or 'a file'}: {error.strerror or error}; "
            "mend it, or choose another results_dir"
        ) from error
    finally:
        sys.argv = before


def _checked(words: Sequence[str]) -> list[str]:
    """The words with groups that are null as Hydra takes them; `experiment=null` is left out, being the default.

    Raises:
        UserError: a flag that Hydra does not have, or has with other values; a setting that is not to be set.
    """
    words = flags_first(words)
    for key, equals, _ in (word.lstrip("+~").partition("=") for word in words):
        if equals and key in NOT_TO_SET:
            raise UserError(f"{key} cannot be set: {NOT_TO_SET[key]}")
    check_groups(words)
    return without_nulls([word for word in words if word not in ("experiment=null", "experiment=")])


def job(cfg: DictConfig) -> float | None:
    """One run, wherever a launcher has put it.

    Returns:
        The watched metric (trainer.monitor) at the end, which is what optimizing sweepers want.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if HydraConfig.get().mode != RunMode.MULTIRUN:
        value: float | None = _train(cfg, quiet=False)["value"]
        return value
    file = Path(HydraConfig.get().runtime.output_dir) / OUTCOME
    overrides = list(HydraConfig.get().overrides.task)
    if (before := _ended(file, overrides)) is not None:
        return before.get("value")
    write_json(file, {"overrides": overrides, "status": UNDER_WAY})
    try:
        outcome = _train(cfg, quiet=True)
    except Exception as error:
        # One failing run must not end a sweep: it is reported at the end, and the exit status says so.
        outcome = {"status": "failed", "error": str(error) or type(error).__name__}
    write_json(file, {"overrides": overrides, **outcome})
    return outcome.get("value")


def _ended(file: Path, overrides: Sequence[str]) -> dict[str, Any] | None:
    """The outcome of this very job, where the sweep has seen it to its end: it goes on after a worker was killed."""
    outcome = read_json(file) if file.exists() else {"status": UNDER_WAY}
    return None if outcome["status"] == UNDER_WAY or outcome["overrides"] != overrides else outcome


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _train(cfg: DictConfig, quiet: bool) -> dict[str, Any]:
    from hydra.core.hydra_config import HydraConfig

    with uncollected():
        from repro.training.run import train

    run = resolve(with_choices(cfg, HydraConfig.get().runtime.choices))
    outcome = train(run, list(HydraConfig.get().overrides.task), None if quiet else _say)
    if quiet:
        print(f"{outcome.status}{'' if outcome.trained else ' before'}: {outcome.folder}", file=sys.stderr)
    else:
        from repro.verbs.show import present

        if not outcome.trained:
            print("already trained; force=true trains it anew\n")
        try:
            with uncollected():
                present(outcome.folder, short=True)
        except BrokenPipeError:
            raise
        except Exception as error:  # the run is done whatever becomes of its picture
            reason = " ".join(str(error).split()) or type(error).__name__
            print(f"{outcome.status}: {outcome.folder}; its table cannot be shown: {reason}", file=sys.stderr)
    summary = read_summary(outcome.folder)
    values = [m.get(run.trainer.monitor) for m in summary["metrics"].values()]
    known = [v for v in values if v is not None]
    return {
        "status": outcome.status,
        "folder": str(outcome.folder),
        "trained": outcome.trained,
        "value": sum(known) / len(known) if known else None,
        "lost": len(values) - len(known) if known else summary["status"] == "diverged",
    }
