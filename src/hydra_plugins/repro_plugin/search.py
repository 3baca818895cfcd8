"""The sweeper behind `hydra/sweeper=optuna`: runs whose settings follow from the results of those before.

It keeps no state of its own. The same words and the same seed ask for the same settings in the same order, and a run
that is finished is skipped, so that a search that was killed, or is given more runs, goes on where it was.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from repro.errors import UserError, extra, whole
from repro.storage.files import read_json, write_json
from repro.storage.search import ASKED, DIRECTIONS, OUTCOME, value_of

SAMPLERS = ("tpe", "random")
DIGITS = 4  # significant ones of a number that is tried: what is found can be typed


class Search(Sweeper):
    """See `conf/hydra/sweeper/optuna.yaml` for the arguments.

    Raises:
        UserError: one of them is out of its range.
    """

    def __init__(
        self, n_trials: int, n_jobs: int, seed: int, sampler: str, startup: int, direction: str | None = None
    ) -> None:
        for name, value, least in (("n_trials", n_trials, 1), ("n_jobs", n_jobs, 1), ("startup", startup, 1)):
            whole(f"hydra.sweeper.{name}", value, least)
        self.n_trials, self.n_jobs, self.startup = n_trials, n_jobs, startup
        self.seed, self.sampler, self.direction = whole("hydra.sweeper.seed", seed, 0), sampler, direction
        for name, word, allowed in (("sampler", sampler, SAMPLERS), ("direction", direction, (None, *DIRECTIONS))):
            if word not in allowed:
                known = " or ".join(str(one) for one in allowed if one is not None)
                raise UserError(f"hydra.sweeper.{name} must be {known}, not {word!r}")
        self.launcher: Launcher
        self.config: DictConfig
        self.hydra_context: HydraContext

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher that the configuration names."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Ask, launch, tell, until there are enough runs.

        Raises:
            UserError: there is nothing to search, nothing to go by, or no Optuna.
        """
        optuna = _optuna()
        overrides = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(arguments)
        space = self._space(overrides, optuna)
        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        write_json(folder / ASKED, {"monitor": self.monitor, "direction": self.direction, "settings": list(space)})
        study = optuna.create_study(direction=self.direction, sampler=self._sampler(optuna))
        returns = []
        for first in range(0, self.n_trials, self.n_jobs):
            trials = [study.ask(space) for _ in range(min(self.n_jobs, self.n_trials - first))]
            batch = [[_word(one, trial.params, space) for one in overrides] for trial in trials]
            if first == 0:
                self.validate_batch_is_legal(batch)
            returns.append(self.launcher.launch(batch, initial_job_idx=first))
            for number, (trial, job) in enumerate(zip(trials, returns[-1], strict=True), first):
                _ = job.return_value  # raises what the job raised
                value = self._value(read_json(folder / str(number) / OUTCOME))
                study.tell(trial, value, state=None if value is not None else optuna.trial.TrialState.FAIL)
        return returns

    def _space(self, overrides: Sequence[Override], optuna: Any) -> dict[str, Any]:
        """The distribution of every setting that is searched; notes by which metric, and which way."""
        searched = [one for one in overrides if one.is_sweep_override()]
        if not searched:
            raise UserError(
                "there is nothing to search; give a setting several values, e.g. "
                "'optimizer.lr=tag(log,interval(0.001,1))' or activation=tanh,relu"
            )
        if any(one.key_or_group == "seed" for one in searched):
            raise UserError("a search would find the luckiest seed; take replicas=5, say: it goes by the mean of them")
        words = [_first(one) for one in overrides if one.is_discrete_sweep() or not one.is_sweep_override()]
        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, words)
        self._note_aim(cfg)
        return {one.get_key_element(): _distribution(one, cfg, optuna.distributions) for one in searched}

    def _note_aim(self, cfg: DictConfig) -> None:
        from repro.config.build import build
        from repro.storage.metrics import better

        self.monitor = str(cfg.trainer.monitor)
        if self.direction is not None:
            return
        task: Any = OmegaConf.to_container(cfg.task, resolve=True) if cfg.task is not None else None
        declared = build(task, "task", list(cfg.trusted)).metrics if task is not None else ()
        way = better(self.monitor, declared)
        if way is None:
            raise UserError(
                f"trainer.monitor={self.monitor} is neither better high nor low; say hydra.sweeper.direction="
                f"{' or '.join(DIRECTIONS)}, or monitor another metric"
            )
        self.direction = "minimize" if way == "lower" else "maximize"

    def _sampler(self, optuna: Any) -> Any:
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed=self.seed)
        return optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=self.startup)

    def _value(self, outcome: Mapping[str, Any]) -> float | None:
        """What the study is told of a run: nothing of one that failed, the worst of one that diverged."""
        if outcome["status"] == "failed":
            return None
        value = value_of(outcome)
        if value is None and outcome["status"] == "done" and not outcome["lost"]:
            raise UserError(
                f"{outcome['folder']} has no {self.monitor}, by which the search goes; set trainer.monitor to "
                "<split>_<metric> of a split that has samples"
            )
        return value if value is not None else (math.inf if self.direction == "minimize" else -math.inf)


def _optuna() -> Any:
    optuna = extra("optuna", "hydra/sweeper=optuna", "search")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(override: Override, cfg: DictConfig, kinds: Any) -> Any:
    """What Optuna calls a range of numbers, or a choice of words."""
    key, value = override.key_or_group, override.value()
    if not isinstance(value, IntervalSweep):
        return kinds.CategoricalDistribution([str(v) for v in override.sweep_string_iterator()])
    low, high, log = value.start, value.end, "log" in value.tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
        logarithm = " and above 0, as log needs it" if log else ""
        raise UserError(f"{override.input_line}: an interval goes from a number up to a greater one{logarithm}")
    default = OmegaConf.select(cfg, key.lstrip("+"))
    if isinstance(low, int) or (isinstance(default, int) and not isinstance(default, bool)):
        if low != int(low) or high != int(high):
            raise UserError(f"{override.input_line}: {key} is a whole number, and so are the ends of an interval of it")
        return kinds.IntDistribution(int(low), int(high), log=log)
    return kinds.FloatDistribution(float(low), float(high), log=log)


def _first(override: Override) -> str:
    """A word with the first of its values, if it has several."""
    if not override.is_sweep_override():
        return str(override.input_line)
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"


def _word(override: Override, chosen: Mapping[str, Any], space: Mapping[str, Any]) -> str:
    """A word of the command line with the value that is to be tried."""
    key = override.get_key_element()
    if key not in chosen:
        return str(override.input_line)
    value = chosen[key]
    if isinstance(value, float):
        value = min(max(float(f"{value:.{DIGITS}g}"), space[key].low), space[key].high)
    return f"{key}={value}"
