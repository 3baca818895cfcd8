"""The schema of a run, the checks that come before any data are read, and the run's identity."""

import hashlib
import importlib.machinery
import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from repro.config.groups import COMPONENTS, OPTIONAL, flatten, limit, taken, without_addresses
from repro.errors import UserError, unknown

# Raise this when a change moves numbers: every run's identity changes with it, so that
# `repro status` calls older results stale and `repro reproduce` trains them anew.
NUMBERS = 1

# What a run is called, where it runs and where it puts things; none of it moves a number.
NOT_SCIENTIFIC = {"device", "threads", "results_dir", "data_dir", "dataset.data_dir", "force", "trusted", "variant",
                  "experiment", "choices", "reproduction", "trainer.checkpoint_seconds", "trainer.channels_last",
                  "trainer.compile", "tensorboard"}  # fmt: skip

# What `trainer.precision` may be; null is float32. float16 is left out: its gradients vanish unless losses are scaled.
PRECISIONS = ("bfloat16", "float64")

QUANTITIES = ("activation_mean", "activation_std", "saturated_share", "dead_share",
              "gradient_norm", "weight_gradient_norm", "update_ratio",
              "weight_norm", "weight_entries", "single_sign_share",
              "noise_std", "noise_p", "noise_p_units", "beta", "beta_units", "gradient_through_time",
              "gradient_cosine", "gradient_norm_ratio")  # fmt: skip


@dataclass
class TrainerConfig:
    """How long and how; `conf/trainer/default.yaml` explains every key."""

    epochs: int = 20
    steps: int | None = None
    batch_size: int | None = 64
    eval_every: int = 1
    eval_steps: int | None = None
    eval_offset: int | None = None
    l2: float = 0.0
    l1: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    clip_weights: float | None = None
    patience: int | None = None
    monitor: str = "valid_loss"
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
    histogram: int = 30
    quantities: list[str] = field(default_factory=list)
    predictions: list[str] | None = None


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


@dataclass(frozen=True)
class Run:
    """A resolved configuration: plain values, checked as far as can be done without data.

    Attributes:
        settings: the whole configuration as plain dicts and lists.
        id: ten hexadecimal digits, a hash of everything that can move a number.
        name: a folder name people can read, with the id at its end.
        folder: where the run's files go.
    """

    settings: dict[str, Any]
    id: str
    name: str
    folder: Path

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the replicas: seed, seed + 1, ..."""
        first = self.settings["seed"]
        return tuple(range(first, first + self.settings["replicas"]))

    @property
    def trainer(self) -> TrainerConfig:
        """Typed view of the trainer group."""
        return TrainerConfig(**self.settings["trainer"] or {})

    @property
    def diagnostics(self) -> DiagnosticsConfig:
        """Typed view of the diagnostics group."""
        return DiagnosticsConfig(**self.settings["diagnostics"] or {})


def resolve(cfg: DictConfig) -> Run:
    """Turn a composed configuration into a checked `Run`.

    Raises:
        UserError: a value is out of its range or two of them do not go together.
    """
    return checked(plain(cfg))


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A composed configuration as plain dicts and lists, with every reference looked up.

    Raises:
        UserError: a value is missing.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise UserError(f"{', '.join(missing)} must be given, e.g. {missing[0]}=VALUE")
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def checked(settings: dict[str, Any]) -> Run:
    """The run of plain settings; raises as `resolve` does."""
    limit(settings)
    noise = settings["activation"].get("noise") if isinstance(settings["activation"], Mapping) else None
    if isinstance(noise, float) and math.isnan(noise):
        settings["activation"]["noise"] = "nan"  # Hydra reads the paper's name of the variant as not-a-number
    check(settings)
    run_id = identity(settings)
    name = f"{_readable(settings)}-{run_id}"
    return Run(settings, run_id, name, Path(settings["results_dir"]) / "runs" / _shelf(settings) / name)


def identity(settings: Mapping[str, Any]) -> str:
    """Hash of the scientific part of a configuration.

    Repro's own components count by the names of group and option and by their settings, wherever their code lies. What
    is not repro's own counts by its content: a table by its bytes, a trusted package by its source and the addresses
    in it.
    """
    own_code = [_source_hash(package) for package in sorted(_packages(settings) - {"repro", "torch"})]
    options = settings["choices"]
    named = {group: without_addresses(group, options.get(group), settings[group]) for group in COMPONENTS}
    text = json.dumps([NUMBERS, _scientific({**settings, **named}), *own_code], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _packages(value: Any) -> set[str]:
    """The packages that the targets in a configuration come from."""
    if isinstance(value, Mapping):
        target = value.get("_target_")
        own = {target.partition(".")[0]} if isinstance(target, str) else set()
        return own.union(*map(_packages, value.values()))
    return set().union(*map(_packages, value)) if isinstance(value, list | tuple) else set()


def _source_hash(package: str) -> str:
    """Hash of a package's Python files, found where importing it would find them; nothing is imported."""
    spec = importlib.util.find_spec(package) or importlib.machinery.PathFinder.find_spec(package, [str(Path.cwd())])
    if spec is None:
        return ""  # building it will say so
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = (
        [Path(spec.origin)] if spec.origin and not folders else [f for d in folders for f in sorted(d.rglob("*.py"))]
    )
    found = hashlib.sha256()
    for file in files:
        if file.is_file():
            found.update(file.read_bytes())
    return found.hexdigest()


def _scientific(value: Any, key: str = "") -> Any:
    """What counts of a value; `key` is its dotted name."""
    if isinstance(value, Mapping):
        inside = {f"{key}.{k}" if key else str(k): (k, v) for k, v in value.items()}
        # Null counts as absent, so that a new option that is off by default leaves older identities alone.
        return {
            k: _scientific(v, full) for full, (k, v) in inside.items() if full not in NOT_SCIENTIFIC and v is not None
        }
    if isinstance(value, list | tuple):
        return [_scientific(v) for v in value]
    if key.rpartition(".")[2] == "path" and isinstance(value, str) and Path(value).is_file():
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return int(value)  # 1 and 1.0 are the same setting
    return value


def _shelf(settings: Mapping[str, Any]) -> str:
    experiment = settings["choices"].get("experiment") or ""
    return str(experiment or settings["choices"].get("dataset") or settings["choices"].get("procedure", "custom"))


def _readable(settings: Mapping[str, Any]) -> str:
    choices = settings["choices"]
    words = [choices.get(group, "") for group in ("architecture", "activation", "initialization", "optimizer")]
    if choices.get("procedure") != "train":
        words.insert(0, choices.get("procedure", ""))
    seeds = f"seed{settings['seed']}" + (f"x{settings['replicas']}" if settings["replicas"] > 1 else "")
    return "-".join([word.rpartition("/")[2] for word in words if word] + [seeds])


def check(settings: Mapping[str, Any]) -> None:
    """Everything that can be said about a configuration without building or reading anything.

    Raises:
        UserError: names the key, its value and what would be allowed.
    """
    _check_keys("", settings, RunConfig)
    takes = taken(settings)
    for group, schema in (("trainer", TrainerConfig), ("diagnostics", DiagnosticsConfig)):
        if group in takes:
            _check_keys(f"{group}.", settings[group], schema)
    for group in COMPONENTS:
        node = settings[group]
        if group not in takes or (node is None and group in OPTIONAL):
            continue
        if not (isinstance(node, Mapping) and "_target_" in node):
            raise UserError(f"{group} needs a file with a _target_; see: repro list {group}")
        for key, value in flatten(node, f"{group}.").items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{key} must be a finite number, not {value}")
    _check_root(settings)
    if "trainer" in takes:
        _check_trainer(settings["trainer"])
    if "diagnostics" in takes:
        _check_diagnostics(settings["diagnostics"])
    if "lr" in (optimizer := settings["optimizer"] or {}) and not _above(rate := optimizer["lr"], 0):
        raise UserError(f"optimizer.lr must be a finite number above 0, not {rate!r}")
    if takes >= {*COMPONENTS, "trainer", "diagnostics"}:
        _check_together(settings)


def _check_keys(prefix: str, node: Any, schema: type) -> None:
    """`+key=value` and `~key` get past the schema when a configuration is composed."""
    known = [field.name for field in fields(schema)]
    shown = [name for name in known if name not in ("choices", "reproduction")]
    if not isinstance(node, Mapping):
        raise UserError(f"{prefix.rstrip('.')} needs its settings {', '.join(known)}; leave it as it is")
    for key in node:
        if key not in known:
            raise unknown("setting", f"{prefix}{key}", [prefix + name for name in shown])
    for key in known:
        if key not in node:
            raise UserError(f"{prefix}{key} cannot be taken away; give it a value instead")


def _check_root(settings: Mapping[str, Any]) -> None:
    whole("seed", settings["seed"], 0)
    whole("replicas", settings["replicas"], 1)
    whole("threads", settings["threads"], 1)


def _check_trainer(trainer: Mapping[str, Any]) -> None:
    whole("trainer.epochs", trainer["epochs"], 0)
    for key, least in (("steps", 0), ("batch_size", 1), ("patience", 1), ("eval_steps", 1), ("eval_offset", 0)):
        if trainer[key] is not None:
            whole(f"trainer.{key}", trainer[key], least)
    whole("trainer.eval_every", trainer["eval_every"], 0)
    for key in ("l1", "l2", "checkpoint_seconds"):
        if not (_above(trainer[key], 0) or trainer[key] == 0):
            raise UserError(f"trainer.{key} must be a finite number, 0 or above, not {trainer[key]}")
    for key in ("clip_norm", "clip_value", "clip_weights"):
        if trainer[key] is not None and not _above(trainer[key], 0):
            raise UserError(f"trainer.{key} must be a finite number above 0 or null, not {trainer[key]}")
    if trainer["precision"] not in (None, *PRECISIONS):
        raise UserError(f"trainer.precision must be {' or '.join(PRECISIONS)}, or null for float32, "
                        f"not {trainer['precision']!r}")  # fmt: skip
    split, _, metric = trainer["monitor"].partition("_")
    if split not in ("train", "valid", "test") or not metric:
        raise UserError(f"trainer.monitor must be <split>_<metric>, e.g. valid_loss, not {trainer['monitor']!r}")


def _check_diagnostics(diagnostics: Mapping[str, Any]) -> None:
    for name in diagnostics["quantities"]:
        if name not in QUANTITIES:
            raise unknown("quantity in diagnostics.quantities", name, QUANTITIES)
    whole("diagnostics.probe", diagnostics["probe"], 1)
    whole("diagnostics.log_spaced", diagnostics["log_spaced"], 0)
    whole("diagnostics.histogram", diagnostics["histogram"], 0)
    for name in diagnostics["predictions"] or []:
        if name not in ("train", "valid", "test"):
            raise unknown("split in diagnostics.predictions", name, ("train", "valid", "test"))
    if diagnostics["every"] is not None:
        whole("diagnostics.every", diagnostics["every"], 1)
    for step in diagnostics["steps"] or []:
        whole("each of diagnostics.steps", step, 0)


def _check_together(settings: Mapping[str, Any]) -> None:
    trainer, batch_norm = settings["trainer"], settings["normalization"]["_target_"].endswith(".batch")
    if batch_norm and trainer["batch_size"] == 1:
        raise UserError("normalization=batch needs trainer.batch_size of 2 or more: one sample has no variance")
    if batch_norm and settings["diagnostics"]["probe"] == 1 and settings["diagnostics"]["quantities"]:
        raise UserError("normalization=batch needs diagnostics.probe of 2 or more: one sample has no variance")
    one_a_sample = settings["task"]["_target_"].endswith((".Classification", ".Regression", ".Sigmoids"))
    if settings["diagnostics"]["predictions"] and not one_a_sample:
        raise UserError("diagnostics.predictions writes one number a sample and needs task=classification, "
                        "regression or sigmoids; set it to null")  # fmt: skip
    if settings["optimizer"]["_target_"].endswith(".LBFGS"):
        _check_search(settings)
    if settings["replicas"] > 1:
        for key in ("precision", "channels_last", "compile"):
            if trainer[key] and trainer[key] != "float64":
                raise UserError(f"trainer.{key} is for one net and does not go with replicas={settings['replicas']}; "
                                f"leave it null, or train one by one with -m seed=range({settings['replicas']})"
                                )  # fmt: skip
        for key, on in (("trainer.patience", trainer["patience"] is not None),
                        ("schedule=plateau", settings["schedule"]["_target_"].endswith(".Plateau"))):  # fmt: skip
            if on:
                raise UserError(f"{key} does not go with replicas={settings['replicas']}: stacked seeds share one "
                                f"clock; train them one by one with -m seed=range({settings['replicas']})")  # fmt: skip


def _check_search(settings: Mapping[str, Any]) -> None:
    """L-BFGS compares losses at several points: they must be those of one function."""
    trainer = settings["trainer"]
    if settings["replicas"] > 1:
        seeds = f"seed=range({settings['replicas']})"
        raise UserError("optimizer=lbfgs goes along one line at a time and does not go with replicas="
                        f"{settings['replicas']}; train one by one with -m {seeds}")  # fmt: skip
    if trainer["batch_size"] is not None:
        raise UserError("optimizer=lbfgs needs the whole training split in every step; set trainer.batch_size=null")
    for key in ("l1", "l2", "clip_norm", "clip_value", "clip_weights"):
        if trainer[key]:
            raise UserError(f"trainer.{key} changes gradients or weights behind the back of optimizer=lbfgs, which "
                            "compares them with the loss; leave it out")  # fmt: skip
    if settings["architecture"].get("dropout") or settings["activation"]["_target_"].startswith(
        "repro.model.activations.noisy."
    ):
        raise UserError("optimizer=lbfgs needs the same loss whenever it asks, and noisy units and dropout draw anew; "
                        "leave them out, or take another optimizer")  # fmt: skip


def whole(key: str, value: Any, least: int) -> None:
    """Raise a `UserError` unless `value` is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{key} must be a whole number of {least} or more, not {value!r}")


def _above(value: Any, bound: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > bound
