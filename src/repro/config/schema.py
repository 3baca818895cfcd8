"""The root of a run's configuration: every key, its type and what it is unless something else is said."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore

# What `trainer.precision` may be; null is float32. float16 is left out: its gradients vanish unless losses are scaled.
PRECISIONS = ("bfloat16", "float64")


@dataclass
class TrainerConfig:
    """How long and how; `conf/trainer/default.yaml` explains every key."""

    epochs: int = 20
    steps: int | None = None
    batch_size: int | None = 64
    eval_every: int = 1
    eval_steps: int | None = None
    eval_offset: int | None = None
    eval_samples: int | None = None
    l2: float = 0.0
    l1: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    clip_weights: float | None = None
    patience: int | None = None
    monitor: str = "valid_loss"
    keep_best: bool | None = None
    precision: str | None = None
    channels_last: bool | None = None
    compile: bool | None = None
    checkpoint_seconds: float = 30.0


@dataclass
class DiagnosticsConfig:
    """What is measured in the layers and when; `conf/diagnostics/layers.yaml` explains every key."""

    every: int | None = None
    steps: list[int] | None = None
    log_spaced: int = 4
    probe: int = 128
    probe_split: str | None = None
    histogram: int = 30
    quantities: list[str] = field(default_factory=list)
    predictions: list[str] | None = None
    predictions_throughout: bool | None = None


@dataclass
class RunConfig:
    """The root of a run's configuration. Groups hold a `_target_` with all its arguments."""

    procedure: Any = None
    dataset: Any = None
    task: Any = None
    architecture: Any = None
    activation: Any = None
    initialization: Any = None
    normalization: Any = None
    backward: Any = None
    optimizer: Any = None
    schedule: Any = None
    weight: Any = None
    annealing: Any = None
    curriculum: Any = None
    hessian: Any = None
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)
    experiment: Any = None
    variant: str | None = None
    seed: int = 0
    replicas: int = 1
    device: str = "auto"
    threads: int = 1
    tensorboard: bool = False
    results_dir: str = "results"
    data_dir: str | None = None
    force: bool = False
    trusted: list[str] = field(default_factory=list)
    choices: dict[str, str] = field(default_factory=dict)
    reproduction: Any = None


ConfigStore.instance().store("run_schema", RunConfig)
