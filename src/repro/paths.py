"""Where the configuration files lie: at the root of a clone, inside the package of a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).parent
CLONE = PACKAGE.parent.parent


def conf_dir() -> Path:
    """The folder with one subfolder a component group and `train.yaml`."""
    return _find("conf")


def experiments_dir() -> Path:
    """The folder with one subfolder a paper."""
    return _find("experiments")


def _find(name: str) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else CLONE / name
