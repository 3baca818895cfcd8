"""Where the configuration files lie: at the root of a clone, inside the package of a wheel."""

from contextlib import suppress
from pathlib import Path

from repro.errors import UserError

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
    own = working_folder() / "conf"
    return own if own.is_dir() and own.resolve() != conf_dir().resolve() else None


def working_folder() -> Path:
    """Where the command was typed.

    Raises:
        UserError: it has been removed since.
    """
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the working folder has been removed; go to one that is there, with cd") from error


def is_file(path: str | Path) -> bool:
    """Whether there is a file of this name; a name that no file can have (300 letters, say) is no error."""
    with suppress(OSError):
        return Path(path).is_file()
    return False


def is_folder(path: str | Path) -> bool:
    """Likewise of a folder."""
    with suppress(OSError):
        return Path(path).is_dir()
    return False


def _find(name: str) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else CLONE / name
