"""The jobs of a sweep have the configurations that Hydra would compose one by one."""

from collections.abc import Iterator, Sequence

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from repro.config.internals import composed_once
from repro.paths import conf_dir
from repro.study.experiment import load

SWEEPS = {
    "values": [["seed=1"], ["seed=2", "optimizer.lr=1e-3"], ["seed=1"], []],
    "options and values": [["activation=relu", "seed=1"], ["seed=1", "activation=relu"], ["activation=tanh"]],
    "an option and its settings": [["optimizer=adam", "optimizer.eps=1e-3"], ["optimizer=sgd"], ["optimizer=adam"]],
    "settings that only one option has": [["activation=noisy_tanh", "activation.noise=nan"], ["activation=tanh"]],
    "null and back": [["hessian=slq"], ["~hessian"], ["trainer.steps=3"], ["trainer.steps=null"]],
    "added and taken away": [["+dataset.more=1"], ["~dataset.seed"], ["++dataset.more=2"], ["dataset.seed=5"]],
    "references": [["dataset=mnist", "data_dir=a"], ["dataset=mnist", "dataset.data_dir=${results_dir}"]],
    "lists and mappings": [["diagnostics.steps=[1,2]"], ["diagnostics.steps=[]"], ["+dataset={a: 1}"]],
    "settings of Hydra's own": [["hydra.job.name=x", "seed=1"], ["seed=1"]],
    "an experiment": [list(job.overrides) for job in load("training_deep_networks/dropout").jobs("full")[:2]],
}


@pytest.fixture
def loader() -> Iterator[ConfigLoaderImpl]:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        assert isinstance(hydra.config_loader, ConfigLoaderImpl)
        before = HydraConfig.instance().cfg
        yield hydra.config_loader
        HydraConfig.instance().cfg = before


def master(loader: ConfigLoaderImpl) -> DictConfig:
    words = ["hydra.sweep.dir=a folder", "+hydra.sweeper.jobs=[[a],[b]]"]
    return loader.load_configuration("train", words, RunMode.MULTIRUN)


def composed(loader: ConfigLoaderImpl, words: Sequence[str]) -> str:
    """What a job goes by, as it stands and with everything looked up."""
    cfg = loader.load_sweep_config(master(loader), list(words))
    with open_dict(cfg):  # as a launcher does
        cfg.hydra.job.id = cfg.hydra.job.num = 0
    cfg.reproduction = None
    cfg.hydra.sweeper.jobs = []
    HydraConfig.instance().set_config(cfg)
    return f"{OmegaConf.to_container(cfg)} {OmegaConf.to_container(cfg, resolve=True)}"


@pytest.mark.parametrize("jobs", SWEEPS.values(), ids=SWEEPS)
def test_jobs_are_composed_as_one_by_one(jobs: list[list[str]], loader: ConfigLoaderImpl) -> None:
    expected = [composed(loader, words) for words in jobs]
    with composed_once():
        assert [composed(loader, words) for words in [*jobs, *jobs]] == [*expected, *expected]


@pytest.mark.parametrize("words", [["optimizer.rate=1"], ["activation=no"], ["seed=x"], ["optimizer.lr"]])
def test_what_is_wrong_is_refused_in_the_same_words(words: list[str], loader: ConfigLoaderImpl) -> None:
    with pytest.raises(HydraException) as slow:
        composed(loader, words)
    with composed_once(), pytest.raises(HydraException) as fast:
        composed(loader, words)
    assert (type(fast.value), str(fast.value)) == (type(slow.value), str(slow.value))


def test_options_are_composed_once(loader: ConfigLoaderImpl, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, slow = [], ConfigLoaderImpl.load_sweep_config

    def counting(self: ConfigLoaderImpl, config: DictConfig, words: list[str]) -> DictConfig:
        asked.append(words)
        return slow(self, config, words)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", counting)
    study = "experiment=training_deep_networks/dropout"
    with composed_once():
        for seed in range(5):
            cfg = loader.load_sweep_config(master(loader), [study, f"seed={seed}"])
            assert (cfg.seed, cfg.reproduction, list(cfg.hydra.sweeper.jobs)) == (seed, None, [])
    assert asked == [[study]]
    assert ConfigLoaderImpl.load_sweep_config is counting
