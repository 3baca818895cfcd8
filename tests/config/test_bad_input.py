"""Mistakes of a user: one line that says what was wrong, what is allowed, what to do; exit 2; nothing half written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import Said

LONG = 300 * "x"
NOBODY = "~nosuchuser/x"
# (words after `repro`, parts that the line must contain)
MISTAKES: dict[str, tuple[str, list[str]]] = {
    # unknown options and keys, with the nearest match
    "option": ("train activation=thanh", ["unknown activation 'thanh'", "known: elu, esp,", "(did you mean tanh?)"]),
    "dataset": ("train dataset=mnits", ["unknown dataset 'mnits'", "did you mean mnist"]),
    "root key": ("train optimiser=adam", ["unknown setting 'optimiser'", "did you mean optimizer"]),
    "root key, no near one": ("train foo=3", ["unknown setting 'foo'", "known: activation, ", "variant"]),
    "nested key": ("train architecture.dept=3", ["'architecture.dept'", "did you mean architecture.depth"]),
    "key of the chosen option": (
        "train activation=noisy_tanh activation.alfa=1",
        ["'activation.alfa'", "activation.sigma", "did you mean activation.alpha"],
    ),
    "key of another option": (
        "train architecture=cnn architecture.depth=3",
        ["'architecture.depth'", "known: architecture.bias, architecture.channels"],
    ),
    "schema key": ("train trainer.epoch=3", ["unknown setting 'trainer.epoch'", "did you mean trainer.epochs"]),
    "deep key": ("train activation=elu activation.unit.alhpa=1", ["did you mean activation.unit.alpha"]),
    "deep key of a part without any": ("train activation.unit.alpha=1", ["activation.unit has no settings"]),
    "typo in the middle": ("train activation.unti.alpha=1", ["'activation.unti'", "did you mean activation.unit"]),
    "added root key": ("train +foo=3", ["unknown setting 'foo'"]),
    "added schema key": ("train +trainer.foo=3", ["unknown setting 'trainer.foo'", "known: trainer.batch_size"]),
    "added option key": ("train ++optimizer.momentun=0.5", ["did you mean optimizer.momentum"]),
    "removed root key": ("train ~seed", ["seed cannot be taken away", "give it a value instead"]),
    "removed schema key": ("train ~trainer.epochs", ["trainer.epochs cannot be taken away"]),
    "removed group": ("train ~activation", ["activation needs a file with a _target_", "repro list activation"]),
    "group null": ("train optimizer=null", ["optimizer needs an option, not null", "repro list optimizer"]),
    "group empty": ("train activation=", ["activation needs an option, not nothing", "repro list activation"]),
    "option in a sweep": ("train -m activation=relu,thanh", ["unknown activation 'thanh'", "did you mean tanh"]),
    "key in a sweep": ("train -m architecture.dept=2,3", ["did you mean architecture.depth"]),
    "sweep's mode": ("train hydra.mode=MULTIRUN seed=0", ["hydra.mode cannot be set", "-m makes a sweep"]),
    "sweep's working folder": ("train -m seed=0,1 hydra.job.chdir=true", ["chdir cannot be set", "results_dir=..."]),
    "folders of jobs": ("train -m seed=0,1 ++hydra.sweep.subdir=x", ["subdir cannot be set", "hydra.sweep.dir=..."]),
    "sweep's folder": ("train -m seed=0,1 hydra.sweep.dir=S/${now:%H}", ["one folder", "hydra.sweep.dir=FOLDER"]),
    "sweep's results": ("train -m seed=0,1 results_dir=r${seed}", ["one folder", "hydra.sweep.dir=FOLDER"]),
    "sweep's folder without =": ("train -m seed=0,1 hydra.sweep.dir", ["cannot read the override 'hydra.sweep.dir'"]),
    "sweep into nothing": ("train -m seed=0,1 hydra.sweep.dir=null", ["needs a folder", "hydra.sweep.dir=FOLDER"]),
    "empty sweep": ("train -m seed=range(3,1)", ["the sweep is empty", "at least one value"]),
    "experiment": (
        "train experiment=training_deep_networks/initialisation",
        ["did you mean training_deep_networks/initialization"],
    ),
    "variant": ("train experiment=training_deep_networks/initialization variant=tanh_smal", ["mean tanh_small"]),
    "variant of nothing": ("train variant=tanh_small", ["needs experiment=", "repro list experiment"]),
    "not an override": ("train activation", ["cannot read the override 'activation'", "KEY=VALUE or GROUP=OPTION"]),
    "values without -m": ("train optimizer.lr=1,2", ["gives several values", "-m", "KEY=[A,B]"]),
    "flag": ("train --force", ["unknown flag --force", "repro train --help"]),
    "flag's value": ("train --cfg everything", ["invalid choice: 'everything'", "'job'", "repro train --help"]),
    "interpolation": ("train architecture.depth=${nothing}", ["'nothing' not found"]),
    # wrong types
    "text for a whole number": ("train trainer.epochs=many", ["trainer.epochs must be a whole number, not 'many'"]),
    "fraction for a whole number": ("train trainer.epochs=1.5", ["trainer.epochs must be a whole number, not '1.5'"]),
    "text for a number": ("train trainer.l2=much", ["trainer.l2 must be a number, not 'much'"]),
    "text for a truth value": ("train force=maybe", ["force must be true or false, not 'maybe'"]),
    "null": ("train seed=null", ["seed must not be null"]),
    "text for a list": ("train trusted=mypackage", ["trusted must be a list, e.g. trusted=["]),
    "component's whole number": ("train architecture.depth=three", ["depth must be a whole number, not 'three'"]),
    "component's number": ("train optimizer.momentum=much", ["optimizer.momentum must be a number, not 'much'"]),
    "component's list": ("train optimizer=adam optimizer.betas=0.9", ["betas must be a list of 2, each a number"]),
    "component's fraction": ("train dataset=xor dataset.train_size=9.5", ["must be a whole number, not 9.5"]),
    # sizes
    "no seed below 0": ("train seed=-1", ["seed must be a whole number of 0 or more, not -1"]),
    "no replicas": ("train replicas=0", ["replicas must be a whole number of 1 or more, not 0"]),
    "no threads": ("train threads=0", ["threads must be a whole number of 1 or more, not 0"]),
    "countless threads": ("train threads=100000", ["threads must be at most ", ", not 100000; take the cores"]),
    "no width": ("train dataset=xor architecture.width=0", ["width must be whole numbers of 1 or more, not 0"]),
    "negative width": ("train dataset=xor architecture.width=-3", ["architecture.width", "1 or more, not -3"]),
    "negative depth": ("train dataset=xor architecture.depth=-1", ["depth must be a whole number of 0 or more"]),
    "widths for other layers": ("train dataset=xor architecture.width=[3,4]", ["2 sizes for 5 layers", "give 5"]),
    "no batch": ("train trainer.batch_size=0", ["trainer.batch_size must be a whole number of 1 or more, not 0"]),
    "negative epochs": ("train trainer.epochs=-1", ["trainer.epochs must be a whole number of 0 or more, not -1"]),
    "negative steps": ("train trainer.steps=-1", ["trainer.steps must be a whole number of 0 or more, not -1"]),
    "no samples": ("train dataset=xor dataset.train_size=0", ["train_size must be a whole number of 1 or more, not 0"]),
    "no subset": ("train dataset.subset=0", ["subset must be a whole number of 1 or more, not 0"]),
    "split too large": ("train dataset.valid_size=5000", ["valid_size 5000", "of 1797", "make them smaller"]),
    "no probe": ("train diagnostics.probe=0", ["diagnostics.probe must be a whole number of 1 or more, not 0"]),
    "no patience": ("train trainer.patience=0", ["trainer.patience must be a whole number of 1 or more, not 0"]),
    "never measuring": ("train diagnostics.every=0", ["diagnostics.every must be a whole number of 1 or more, not 0"]),
    "too large for the machine": (
        "train dataset=xor architecture.width=100000000000",
        ["architecture.width=100000000000", "could fit"],
    ),
    # rates and other numbers out of range
    "lr 0": ("train optimizer.lr=0", ["optimizer.lr must be a finite number above 0, not 0"]),
    "lr negative": ("train optimizer.lr=-0.1", ["optimizer.lr must be a finite number above 0, not -0.1"]),
    "lr nan": ("train optimizer.lr=nan", ["optimizer.lr must be a finite number", "not nan"]),
    "lr inf": ("train optimizer.lr=inf", ["optimizer.lr must be a finite number", "not inf"]),
    "lr overflow": ("train optimizer.lr=1e400", ["optimizer.lr must be a finite number", "not inf"]),
    "lr text": ("train optimizer.lr=fast", ["optimizer.lr must be a finite number above 0, not 'fast'"]),
    "lr null": ("train optimizer.lr=null", ["optimizer.lr must be a finite number above 0"]),
    "momentum nan": ("train optimizer.momentum=nan", ["optimizer.momentum must be a finite number, not nan"]),
    "momentum negative": ("train optimizer.momentum=-1", ["optimizer: ", "momentum value: -1"]),
    "nesterov alone": ("train optimizer.nesterov=true optimizer.momentum=0", ["optimizer: Nesterov momentum requires"]),
    "betas": ("train optimizer=adam optimizer.betas=[2,0.9]", ["optimizer: Invalid beta parameter at index 0: 2"]),
    "l2 nan": ("train trainer.l2=nan", ["trainer.l2 must be a finite number of at least 0, not nan"]),
    "beyond all floats": (f"train architecture.input_noise={10**400}", ["input_noise must be a finite number of"]),
    "clip 0": ("train trainer.clip_norm=0", ["trainer.clip_norm, unless null, must be a finite number above 0, not 0"]),
    "dropout": ("train dataset=xor architecture.dropout=1", ["architecture.dropout", "at least 0 and below 1, not 1"]),
    "input noise": ("train architecture.input_noise=-1", ["architecture.input_noise", "at least 0, not -1"]),
    "slope nan": ("train activation=leaky_relu activation.unit.negative_slope=nan", ["finite number, not nan"]),
    "noise": ("train activation=noisy_tanh activation.noise=nann", ["unknown noise", "known: nah, nan, "]),
    "noise scale": ("train activation=noisy_tanh activation.c=-1", ["activation.c must be a finite number of"]),
    "std": ("train initialization=normal initialization.std=0", ["initialization.std must be a finite number above 0"]),
    "distribution": ("train initialization.distribution=norml", ["known: normal, uniform (did you mean normal"]),
    "factor": (
        "train schedule=step schedule.factor=2",
        ["schedule.factor must be a finite number of at least 0 and at most 1, not 2"],
    ),
    "period": ("train schedule=step schedule.every=0", ["schedule.every must be a whole number of 1 or more, not 0"]),
    "preprocessing": ("train dataset.preprocessing=centre", ["unknown preprocessing 'centre'", "did you mean center"]),
    # things that do not go together
    "cnn on points": ("train architecture=cnn dataset=xor", ["needs images", "shape (2,)", "architecture=mlp"]),
    "cnn on small images": ("train architecture=cnn architecture.channels=[2,2,2,2]", ["4 blocks", "8 × 8", "fewer"]),
    "vgg on points": ("train architecture=vgg dataset=xor", ["architecture=vgg needs images", "shape (2,)"]),
    "resnet on points": ("train architecture=resnet18 dataset=xor", ["architecture=resnet needs images", "shape (2,)"]),
    "vgg of no depth": ("train architecture=vgg architecture.depth=12", ["must be one of 11, 13, 16, 19, not 12"]),
    "vgg of no width": ("train architecture=vgg architecture.width=0", ["architecture.width must be a whole number"]),
    "no blocks": ("train architecture=resnet architecture.blocks=[3,0]", ["architecture.blocks must be whole numbers"]),
    "shortcut": ("train architecture=resnet architecture.shortcut=padd", ["known: pad, projection (did you mean pad"]),
    "kernel": ("train architecture=cnn architecture.kernel=2", ["kernel must be odd and 1 or more, not 2"]),
    "stride": ("train architecture=cnn architecture.stride=0", ["architecture.stride must be a whole number of 1"]),
    "batch norm with batch 1": (
        "train normalization=batch trainer.batch_size=1",
        ["normalization=batch needs trainer.batch_size of 2 or more"],
    ),
    "batch norm with probe 1": (
        "train normalization=batch diagnostics.probe=1",
        ["normalization=batch needs diagnostics.probe of 2 or more"],
    ),
    "batch norm with one sample": ("train normalization=batch dataset.subset=1", ["2 or more training samples"]),
    "early stopping of replicas": ("train trainer.patience=2 replicas=2", ["trainer.patience", "-m seed=range(2)"]),
    "plateau of replicas": ("train schedule=plateau replicas=2", ["schedule=plateau", "-m seed=range(2)"]),
    "numbers for classes": ("train task=regression", ["task=regression needs numbers", "use task=classification"]),
    "precision": ("train trainer.precision=float16", ["trainer.precision must be bfloat16 or float64", "'float16'"]),
    "precision of replicas": ("train trainer.precision=bfloat16 replicas=2", ["trainer.precision", "replicas=2"]),
    "layout of replicas": ("train trainer.channels_last=true replicas=2", ["trainer.channels_last", "-m seed"]),
    "compiled replicas": ("train trainer.compile=true replicas=2", ["trainer.compile", "replicas=2", "null"]),
    "layout of a net without convolutions": ("train trainer.channels_last=true", ["nets with convolutions", "null"]),
    "recurrence in bfloat16": (
        "train dataset=unique_numbers architecture=lstm_classifier trainer.precision=bfloat16",
        ["trainer.precision", "architecture=lstm_classifier", "null"],
    ),
    "compiled recurrence": (
        "train dataset=unique_numbers architecture=lstm_classifier trainer.compile=true",
        ["trainer.compile", "architecture=lstm_classifier", "null"],
    ),
    "text for a layout": ("train trainer.channels_last=perhaps", ["channels_last must be true or false"]),
    "flip of points": ("train dataset=xor dataset.flip=true", ["unknown setting 'dataset.flip'"]),
    # what is measured
    "quantity": (
        "train diagnostics.quantities=[gradient_nrom]",
        ["unknown quantity in diagnostics.quantities 'gradient_nrom'", "did you mean gradient_norm"],
    ),
    "metric": (
        "train trainer.monitor=valid_acuracy trainer.patience=2",
        ["unknown metric in trainer.monitor 'valid_acuracy'", "did you mean valid_accuracy"],
    ),
    "metric of the plateau": ("train trainer.monitor=valid_perplexity schedule=plateau", ["monitor", "valid_loss"]),
    "metric nobody watches": ("train trainer.monitor=valid_los", ["'valid_los'", "did you mean valid_loss"]),
    "split of the metric": ("train trainer.monitor=loss", ["must be <split>_<metric>, e.g. valid_loss, not 'loss'"]),
    "nothing to keep the best by": ("train dataset=xor dataset.valid_size=0 trainer.keep_best=true", ["known: test_"]),
    "split without samples": ("train dataset=xor dataset.valid_size=0 trainer.patience=2", ["known: test_"]),
    # targets
    "forbidden target": (
        "train activation._target_=os.system",
        ["activation._target_ is 'os.system'", "allowed: repro.*, torch.nn.*", "trusted=[os]"],
    ),
    "forbidden target inside": ("train activation.unit._target_=subprocess.run", ["unit._target_", "allowed: "]),
    "forbidden by a detour": ("train activation._target_=repro.training.run.os.system", ["is no part of a run"]),
    "forbidden in a list": ("train '+architecture.width=[{_target_:os.getcwd}]'", ["'os.getcwd'", "allowed: repro.*"]),
    "no such target": ("train activation.unit._target_=torch.nn.Tahn", ["did you mean torch.nn.Tanh"]),
    # devices
    "no such device": ("train device=gpu", ["device=gpu is not available on this machine", "available: auto, cpu"]),
    # data
    "no table": ("train dataset=table", ["dataset.path, dataset.target must be given"]),
    "table's key": ("train dataset=table dataset.pth=a.csv", ["dataset.pth", "did you mean dataset.path"]),
    "table not there": ("train dataset=table dataset.path=a.csv dataset.target=y", ["a.csv not found", "a header"]),
    "table of a name too long": (
        f"train dataset=table dataset.path={LONG} dataset.target=y",
        ["x not found", "header"],
    ),
    "nobody's folder": (f"data list --data-dir {NOBODY}", [f"data_dir is '{NOBODY}'", "no such user"]),
    # the other verbs
    "verb": ("trian", ["unknown verb 'trian'", "did you mean train"]),
    "paper": ("reproduce training_deep_network", ["unknown paper", "did you mean training_deep_networks"]),
    "scale": ("reproduce training_deep_networks scale=quik", ["unknown scale of", "'quik'", "did you mean quick"]),
    "two papers": ("reproduce one two", ["one paper or experiment at a time", "repro reproduce --help"]),
    "reproduce's flag": ("reproduce --scale=smoke", ["unknown flag --scale=smoke", "repro reproduce --help"]),
    "reproduce's key": ("reproduce training_deep_networks scale=smoke optimizer.lrr=1", ["did you mean optimizer.lr"]),
    "reproduce's group": ("reproduce training_deep_networks scale=smoke optimizer=null", ["optimizer needs an option"]),
    "reproduce's number": ("reproduce training_deep_networks scale=smoke optimizer.lr=0", ["optimizer.lr", "above 0"]),
    "reproduce's word": ("reproduce training_deep_networks trian=false", ["setting 'trian'; did you mean train"]),
    "experiment alone": ("reproduce dropout", ["'dropout'; did you mean training_deep_networks/dropout?"]),
    "figures of nothing": ("figures training_deep_networks", ["no tables in results/", "repro reproduce"]),
    "table of nothing": ("table training_deep_networks", ["no claims.csv at scale published", "repro reproduce"]),
    "format": ("table --format html", ["invalid choice: 'html'", "'markdown'", "repro table --help"]),
    "status of nothing": ("status training_deep_network", ["did you mean training_deep_networks"]),
    "group of a list": ("list activations", ["unknown group 'activations'", "did you mean activation"]),
    "pattern of a list": ("list activation 'noisee*'", ["unknown activation matching 'noisee*'", "known: elu"]),
    "data set of data": ("data fetch mnits", ["unknown data set 'mnits'", "did you mean mnist"]),
    "action of data": ("data download", ["invalid choice: 'download'", "'fetch'"]),
    "run of show": ("show 0123456789", ["no run '0123456789'", "repro train"]),
    "run of a name too long": (f"show {LONG}", ["no run 'xxx", "repro train"]),
    "runs of names too long": (f"compare {LONG} {LONG}", ["no run 'xxx", "repro train"]),
    "data of a name too long": (f"data describe {LONG}", ["x not found; dataset.path takes"]),
    "shell": ("completion tcsh", ["invalid choice: 'tcsh'", "'bash'"]),
    "argument too many": ("status a b", ["unrecognized arguments: b", "repro status --help"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    words, parts = MISTAKES[name]
    said = cli(*[word.strip("'") for word in words.split(" ")]).mistake
    for part in parts:
        assert part in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["list", "data list", "train dataset=xor", "train -m seed=1,2"])
def test_working_folder_is_gone(
    words: str, cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "the working folder has been removed" in cli(*words.split()).mistake


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_no_cuda(device: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    assert cli("train", f"device={device}").mistake == (
        f"device={device} is not available on this machine; available: auto, cpu"
    )
    assert list(tmp_path.iterdir()) == []


def test_one_wrong_value_of_a_sweep(cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    said = cli("train", "-m", *tiny, "optimizer.lr=0.1,0,0.2")
    assert said.status == 1
    assert "repro: failed: " in said.err
    assert "optimizer.lr must be a finite number above 0, not 0" in said.err
    assert "3 runs: 2 done, 0 diverged, 1 failed" in said.out
    assert len(list((tmp_path / "results/runs/xor").glob("*/done.json"))) == 2


# Tables of the user's own

CSVS = {
    "text among numbers": ("x,y\n1,0\nred,0\n3,1\n4,1\n", ["x: text with 4", "dataset.keep=[x]"]),
    "missing target": ("x,z\n1,0\n2,1\n3,0\n", ["'y'", "known: x, z"]),
    "empty": ("", ["is empty", "column names"]),
    "header only": ("x,y\n", ["row"]),
    "nothing but the target": ("y\n1\n0\n1\n", ["y"]),
    "too many classes": ("x,y\n1,0\n,1\n3,2\n", ["3 classes in 3 rows", "task=regression"]),
    "infinite number": ("x,y\n1,0\ninf,1\n3,0\n4,1\n", ["column 'x'", "row 2"]),
    "ragged": ("x,y\n1,0\n2,1,5,6\n3,0\n", ["table.csv"]),
    "binary": ("\x00\x01\x02", ["table.csv"]),
}


@pytest.mark.parametrize("name", CSVS)
def test_table(name: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    text, parts = CSVS[name]
    (tmp_path / "table.csv").write_text(text)
    said = cli("train", "dataset=table", "dataset.path=table.csv", "dataset.target=y").mistake
    for part in parts:
        assert part in said
    assert [f.name for f in tmp_path.iterdir()] == ["table.csv"]


# Data files


def mnist(cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", no_network)
    said = cli("train", "dataset=mnist", f"data_dir={tmp_path / 'cache'}", *words)
    assert said.status == 2
    assert not (tmp_path / "results").exists()
    lines = said.err.splitlines()
    assert len(lines) == 1 or (len(lines) == 2 and lines[0].startswith("Downloading"))
    return lines[-1]


def no_network(*args: Any, **more: Any) -> None:
    del args, more
    raise ConnectionError("no network in tests")


NAME = "train-images-idx3-ubyte.gz"


def test_missing_data_file(cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRO_DATA", raising=False)
    said = mnist(cli, tmp_path, monkeypatch)
    assert f"data file {NAME} not found in {tmp_path / 'cache' / 'mnist'}" in said
    assert "REPRO_DATA is not set" in said
    assert "put it there (sha256 " in said
    assert "repro data fetch mnist" in said


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00 truncated", b"x" * 1000], ids=["empty", "cut", "other"])
@pytest.mark.parametrize("where", ["cache", "mirror"])
def test_wrong_data_file(
    content: bytes, where: str, cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("REPRO_DATA", str(tmp_path / "mirror"))
    path = tmp_path / where / "mnist" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    said = mnist(cli, tmp_path, monkeypatch)
    assert str(path) in said
    assert "expected" in said
    assert "sha256" in said.lower()
    assert path.read_bytes() == content
