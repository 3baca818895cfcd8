"""Files of a run that say how it ended. They may come from anywhere, so that what is in them is looked at first."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro.errors import UserError
from repro.storage.files import read_json

NUMBER = (int, float, type(None))
SUMMARY: Mapping[str, Any] = {
    "run": str,
    "status": str,
    "statuses": {str: str},
    "diverged_at_step": {str: int},
    "seeds": [int],
    "steps": int,
    "epochs": NUMBER,
    "stopped_early": bool,
    "seconds": NUMBER,
    "steps_per_second": NUMBER,
    "device": str,
    "samples": {str: NUMBER},
    "parameters": int,
    "data": str,
    "metrics": {str: {str: NUMBER}},
    "settings": {str: object},
    # Of a table of one's own: names of classes, how it was read, scores of what predicts without a net.
    "classes": [str],
    "notes": [str],
    "baselines": {str: {str: NUMBER}},
}
"""What summary.json holds: types, lists of one type, mappings from one type to another."""
NEEDED = ("run", "status", "seeds", "steps", "epochs", "seconds", "device", "metrics", "settings")
"""What every reader of a single run needs of it."""


def read_summary(folder: Path, whole: bool = True) -> dict[str, Any]:
    """The content of a run's summary.json.

    Args:
        folder: of the run.
        whole: refuse it too where a key is missing.

    Raises:
        UserError: there is none, or it is not what a run writes.
    """
    path = folder / "summary.json"
    content = read_json(path)
    missing = [key for key in NEEDED if key not in content] if whole else []
    wrong = [key for key, shape in SUMMARY.items() if key in content and not fits(content[key], shape)]
    if missing or wrong:
        what = f"no {missing[0]}" if missing else f"{wrong[0]} is {str(content[wrong[0]])[:40]!r}"
        raise UserError(f"{path} is damaged ({what}); train the run again with force=true")
    return content


def fits(value: Any, shape: Any) -> bool:
    """Whether a value out of JSON has a shape as in `SUMMARY`."""
    if isinstance(shape, Mapping):
        ((key, inside),) = shape.items()
        return isinstance(value, dict) and all(isinstance(k, key) and fits(v, inside) for k, v in value.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(v, shape[0]) for v in value)
    return isinstance(value, shape) and (shape in (bool, object) or not isinstance(value, bool))
