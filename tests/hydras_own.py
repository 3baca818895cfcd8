"""Configurations as Hydra composes them, each read from the files and merged anew."""

from collections.abc import Sequence

from hydra import compose
from omegaconf import DictConfig

from repro.config.compose import ERRORS, check_groups, explain, with_choices, without_nulls
from repro.config.short_keys import spelled_out


def composed(words: Sequence[str]) -> DictConfig:
    """Inside `initialize_config_dir`; raises as `repro.config.compose.compose` does."""
    words = spelled_out(words)
    check_groups(words)
    try:
        cfg = compose("train", without_nulls(words), return_hydra_config=True)
    except ERRORS as error:
        raise explain(error, words) from error
    return with_choices(cfg, cfg.hydra.runtime.choices)
