"""What can be said about a configuration without building or reading anything."""

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from repro.config.groups import CAPABILITIES, COMPONENTS, GROUPS, OPTIONAL, declares, taken
from repro.config.ranges import check_range
from repro.config.schema import PRECISIONS, DiagnosticsConfig, RunConfig, TrainerConfig
from repro.errors import UserError, number, unknown, whole
from repro.storage.metrics import SPLITS

THREADS = 1024
"""More than this, and than the machine has cores, are refused: PyTorch crashes when the system gives no more."""


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
        for key, names in (("_declares_", CAPABILITIES), ("_takes_", GROUPS)):
            for name in node.get(key) or ():
                if name not in names:
                    raise unknown(f"word in {group}.{key}", str(name), names)
    _check_root(settings)
    if "trainer" in takes:
        _check_trainer(settings["trainer"])
    if "diagnostics" in takes:
        _check_diagnostics(settings["diagnostics"])
    check_range(settings)
    if "lr" in (optimizer := settings["optimizer"] or {}):
        number("optimizer.lr", optimizer["lr"], 0, ends="(]")
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
    most = max(os.cpu_count() or 1, THREADS)
    if whole("threads", settings["threads"], 1) > most:
        raise UserError(f"threads must be at most {most}, not {settings['threads']}; take the cores of your machine")
    if not settings["results_dir"]:
        raise UserError("results_dir must name a folder, e.g. results_dir=results")
    for package in settings["trusted"]:
        if not (isinstance(package, str) and package.isidentifier()):
            raise UserError(f"trusted must list names of packages, e.g. trusted=[mypackage], not {package!r}")


def _check_trainer(trainer: Mapping[str, Any]) -> None:
    whole("trainer.epochs", trainer["epochs"], 0)
    least_of = {"steps": 0, "batch_size": 1, "patience": 1, "eval_steps": 1, "eval_offset": 0, "eval_samples": 1}
    for key, least in least_of.items():
        if trainer[key] is not None:
            whole(f"trainer.{key}", trainer[key], least)
    whole("trainer.eval_every", trainer["eval_every"], 0)
    for key in ("l1", "l2", "checkpoint_seconds"):
        number(f"trainer.{key}", trainer[key], 0)
    for key in ("clip_norm", "clip_value", "clip_weights"):
        if trainer[key] is not None:
            number(f"trainer.{key}, unless null,", trainer[key], 0, ends="(]")
    if trainer["precision"] not in (None, *PRECISIONS):
        raise UserError(
            f"trainer.precision must be {' or '.join(PRECISIONS)}, or null for float32, not {trainer['precision']!r}"
        )
    split, _, metric = trainer["monitor"].partition("_")
    if split not in SPLITS or not metric:
        raise UserError(f"trainer.monitor must be <split>_<metric>, e.g. valid_loss, not {trainer['monitor']!r}")


def _check_diagnostics(diagnostics: Mapping[str, Any]) -> None:
    whole("diagnostics.probe", diagnostics["probe"], 1)
    whole("diagnostics.log_spaced", diagnostics["log_spaced"], 0)
    whole("diagnostics.histogram", diagnostics["histogram"], 0)
    if diagnostics["probe_split"] not in (None, *SPLITS):
        raise unknown("split in diagnostics.probe_split", str(diagnostics["probe_split"]), SPLITS)
    for name in diagnostics["predictions"] or []:
        if name not in SPLITS:
            raise unknown("split in diagnostics.predictions", name, SPLITS)
    if diagnostics["predictions_throughout"] and not diagnostics["predictions"]:
        raise UserError("diagnostics.predictions_throughout needs splits, e.g. diagnostics.predictions=[valid]")
    if diagnostics["every"] is not None:
        whole("diagnostics.every", diagnostics["every"], 1)
    for step in diagnostics["steps"] or []:
        whole("each of diagnostics.steps", step, 0)


def _check_together(settings: Mapping[str, Any]) -> None:
    _check_batches(settings)
    _check_sequences(settings)
    if settings["diagnostics"]["predictions_throughout"] and not declares(settings, "task", "one_a_sample"):
        raise UserError(
            "diagnostics.predictions_throughout writes a number a sample, and "
            f"task={_option(settings, 'task')} has none; set it to null"
        )
    written = any(declares(settings, "task", kind) for kind in ("one_a_sample", "writes_text"))
    if settings["diagnostics"]["predictions"] and not written:
        raise UserError(
            f"diagnostics.predictions writes a number or a text a sample, and task="
            f"{_option(settings, 'task')} has neither; set it to null"
        )
    if settings["diagnostics"]["probe_split"] not in (None, "train") and declares(settings, "dataset", "sequential"):
        raise UserError(
            f"diagnostics.probe_split is for single samples, and dataset={_option(settings, 'dataset')} has sequences; "
            "set it to null"
        )
    if declares(settings, "optimizer", "needs_closure"):
        _check_line_search(settings)
    if settings["replicas"] > 1:
        _check_replicas(settings)


def _check_batches(settings: Mapping[str, Any]) -> None:
    if declares(settings, "normalization", "by_batch"):
        name, diagnostics = f"normalization={_option(settings, 'normalization')}", settings["diagnostics"]
        if settings["trainer"]["batch_size"] == 1:
            raise UserError(f"{name} needs trainer.batch_size of 2 or more: one sample has no variance")
        if diagnostics["probe"] == 1 and diagnostics["quantities"]:
            raise UserError(f"{name} needs diagnostics.probe of 2 or more: one sample has no variance")


def _check_sequences(settings: Mapping[str, Any]) -> None:
    """A net for sequences needs a data set of sequences, and the other way round."""
    _check_texts(settings)
    data, net = (declares(settings, group, "sequential") for group in ("dataset", "architecture"))
    names = {group: _option(settings, group) for group in ("dataset", "architecture")}
    if net and not data:
        raise UserError(
            f"architecture={names['architecture']} reads sequences, and dataset={names['dataset']} has "
            "none; take dataset=penn_treebank, say, or architecture=mlp"
        )
    if data and not net:
        raise UserError(
            f"dataset={names['dataset']} has sequences, which architecture={names['architecture']} cannot "
            "read; take architecture=lstm, gru, lstm_classifier or ntm"
        )
    for key in ("precision", "compile", "eval_samples"):
        if declares(settings, "architecture", "carries_state") and settings["trainer"][key]:
            raise UserError(
                f"trainer.{key} is for nets without a state, not for architecture="
                f"{names['architecture']}; leave it null"
            )


TEXTS = {
    "pairs": (
        "pairs of sentences",
        "translation takes",
        {"dataset": "multi30k", "architecture": "translator", "task": "translation"},
    ),
    "captions": (
        "images with captions",
        "captions take",
        {"dataset": "flickr8k", "architecture": "captioner", "task": "captions"},
    ),
}
"""What a data set, a net and a task are for that say so, all three, and which they are."""


def _check_texts(settings: Mapping[str, Any]) -> None:
    """Translation and captions take data, net and task that are made for it, all three."""
    for kind, (says, takes, groups) in TEXTS.items():
        made = {group: declares(settings, group, kind) for group in groups}
        if any(made.values()) and not all(made.values()):
            one = next(group for group, declared in made.items() if declared)
            other = next(group for group, declared in made.items() if not declared)
            raise UserError(
                f"{one}={_option(settings, one)} is for {says}, and {other}={_option(settings, other)} is not; "
                f"{takes} {', '.join(f'{group}={name}' for group, name in groups.items())}"
            )
        if all(made.values()) and settings["replicas"] > 1:
            raise UserError(
                f"replicas={settings['replicas']} does not go with dataset={_option(settings, 'dataset')}, whose "
                f"sentences differ in length; train them one by one with -m seed=range({settings['replicas']})"
            )


def _check_replicas(settings: Mapping[str, Any]) -> None:
    trainer, replicas = settings["trainer"], settings["replicas"]
    for key in ("precision", "channels_last", "compile"):
        if trainer[key] and trainer[key] != "float64":
            raise UserError(
                f"trainer.{key} is for one net and does not go with replicas={replicas}; "
                f"leave it null, or train one by one with -m seed=range({replicas})"
            )
    clocks = {
        "trainer.patience": trainer["patience"] is not None,
        "trainer.keep_best": bool(trainer["keep_best"]),
        f"schedule={_option(settings, 'schedule')}": declares(settings, "schedule", "watches"),
    }
    for key, used in clocks.items():
        if used:
            raise UserError(
                f"{key} does not go with replicas={replicas}: stacked seeds share one "
                f"clock; train them one by one with -m seed=range({replicas})"
            )


def _check_line_search(settings: Mapping[str, Any]) -> None:
    """An optimizer that compares losses at several points needs them to be those of one function."""
    trainer, name = settings["trainer"], f"optimizer={_option(settings, 'optimizer')}"
    if settings["replicas"] > 1:
        seeds = f"seed=range({settings['replicas']})"
        raise UserError(
            f"{name} goes along one line at a time and does not go with replicas="
            f"{settings['replicas']}; train one by one with -m {seeds}"
        )
    if trainer["batch_size"] is not None:
        raise UserError(f"{name} needs the whole training split in every step; set trainer.batch_size=null")
    for key, least in (("history_size", 1), ("max_iter", 1), ("max_eval", 1)):
        if (value := settings["optimizer"].get(key)) is not None:
            whole(f"optimizer.{key}", value, least)
    for key in ("tolerance_grad", "tolerance_change"):
        if (value := settings["optimizer"].get(key)) is not None:
            number(f"optimizer.{key}", value, 0)
    if (line := settings["optimizer"].get("line_search_fn")) not in (None, "strong_wolfe"):
        raise UserError(f"optimizer.line_search_fn must be strong_wolfe or null, not {line!r}")
    for key in ("l1", "l2", "clip_norm", "clip_value", "clip_weights"):
        if trainer[key]:
            raise UserError(
                f"trainer.{key} changes gradients or weights that {name} compares with the loss; leave it out"
            )
    if settings["architecture"].get("dropout") or declares(settings, "activation", "draws_noise"):
        raise UserError(
            f"{name} needs the same loss whenever it asks, and noisy units and dropout draw anew; "
            "leave them out, or take another optimizer"
        )


def _option(settings: Mapping[str, Any], group: str) -> str:
    return str(settings["choices"].get(group) or settings[group]["_target_"])
