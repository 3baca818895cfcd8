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


def conf_dirs() -> list[Path]:
    """The folders with components that come with repro: its own, and those of the papers that have one."""
    return [conf_dir(), *sorted(experiments_dir().glob("*/conf"))]


def own_conf() -> Path | None:
    """The `conf/` of the working folder, if there is one that is not repro's own."""
    own = Path.cwd() / "conf"
    return own if own.is_dir() and own.resolve() != conf_dir().resolve() else None


def _find(name: str) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else CLONE / name
