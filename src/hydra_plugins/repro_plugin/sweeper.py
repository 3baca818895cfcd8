"""The sweeper behind `repro reproduce`: an experiment's missing runs, handed to whatever launcher is chosen."""

from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class ReproductionSweeper(Sweeper):
    """Launches lists of overrides instead of a product of values.

    Args:
        jobs: a list of override words for each run, with %24 for $ and %25 for %.
    """

    def __init__(self, jobs: list[list[str]]) -> None:
        self.jobs = [[word.replace("%24", "$").replace("%25", "%") for word in job] for job in jobs]
        self.launcher: Launcher | None = None
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher that the configuration names."""
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch every job, with the command line's own overrides after the job's."""
        assert self.launcher is not None
        assert self.config is not None
        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        batch = [[*job, *arguments] for job in self.jobs]
        returns = self.launcher.launch(batch, initial_job_idx=0)
        for job in returns:
            _ = job.return_value  # raises what the job raised
        return returns
