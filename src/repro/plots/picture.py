"""A drawn figure as something to be shown and saved, which knows nothing of Matplotlib any more."""

from dataclasses import dataclass
from pathlib import Path

from repro.storage.files import chosen_by, write_atomic


@dataclass(frozen=True)
class Picture:
    """A figure; a notebook shows it by itself.

    Attributes:
        png: the content of a PNG file.
    """

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: str | Path) -> Path:
        """Write the PNG file, whole or not at all.

        Raises:
            UserError: the folder is read-only or the disk is full.
        """
        with chosen_by("save(...)"):
            write_atomic(Path(path), self.png)
        return Path(path)
