"""Building data sets in tests the way the program does."""

import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from repro.config.build import build
from repro.config.groups import option_files
from repro.errors import UserError

MIRROR = os.environ.get("REPRO_DATA")


def node(name, **changes):
    """A dataset's configuration as the program sees it."""
    root = OmegaConf.create({"data_dir": None})
    root["dataset"] = OmegaConf.load(option_files("dataset")[name])
    root["dataset"].update(changes)
    return OmegaConf.to_container(root, resolve=True)["dataset"]


def load(name, **changes):
    if name == "table":
        changes.setdefault("targets", "classes")
    return build(node(name, **changes), "dataset")


def refusal_of(call, *arguments, **named):
    """What a `UserError` says, which is one line."""
    with pytest.raises(UserError) as caught:
        call(*arguments, **named)
    text = str(caught.value)
    assert "\n" not in text
    return text


def error_of(name, **changes):
    return refusal_of(load, name, **changes)


def need_mirror(name):
    if not MIRROR or not (Path(MIRROR) / name).is_dir():
        pytest.skip("REPRO_DATA is not set to a mirror with this data set")
