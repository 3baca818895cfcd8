"""A run's rows for TensorBoard, beside its tables: the extra `[tensorboard]`, imported where it is used. No torch."""

import io
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.errors import extra
from repro.storage.files import open_regular, write_all, write_atomic, writing
from repro.storage.tables import Table, whole_lines

FILE = "events.out.tfevents.0"  # TensorBoard looks for the word in the middle
BINS = "histogram_"  # quantities that are no curve: the bins of a histogram, which stay in the table


def check_installed() -> None:
    """Raise a `UserError` where TensorBoard's package is missing."""
    for module in ("compat.proto.event_pb2", "summary.writer.record_writer"):
        extra(f"tensorboard.{module}", "tensorboard=true", "tensorboard")


class Events:
    """The scalars of a table as a file of events, one curve for each metric or for each quantity and layer.

    A file grows by whole records, like the table; no descriptor and no thread stays between calls. Where there are
    several seeds each has a folder of its own, so that TensorBoard draws them into one chart.
    """

    def __init__(self, folder: Path, table: Table, named_by: Sequence[str], seeds: Sequence[int]) -> None:
        """Writes nothing yet; `truncate_after` does.

        Args:
            folder: where the files go.
            table: the same rows, from which the files are made anew.
            named_by: columns whose words name a curve.
            seeds: of the run.
        """
        self.folder = folder
        self._table = table
        self._names = [table.columns.index(name) for name in named_by]
        self._seed, self._step, self._value = (table.columns.index(name) for name in ("seed", "step", "value"))
        self._files = {seed: (folder / f"seed{seed}" if len(seeds) > 1 else folder) / FILE for seed in seeds}

    def append(self, rows: Iterable[Sequence[Any]]) -> None:
        """Adds rows at the end.

        Raises:
            UserError: the disk is full or the folder read-only.
        """
        for seed, data in self._records(rows).items():
            with writing(self._files[seed]):
                descriptor = open_regular(self._files[seed], os.O_WRONLY | os.O_APPEND)
                try:
                    write_all(descriptor, data)
                finally:
                    os.close(descriptor)

    def truncate_after(self, step: int) -> None:
        """Makes the files anew from the table's rows up to `step`, whatever a killed process had put into them.

        Raises:
            UserError: the disk is full or the folder read-only.
        """
        with writing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
        lines = whole_lines(self._table.path)
        next(lines)
        records = self._records(line for line in lines if int(line[self._step]) <= step)
        for seed, file in self._files.items():
            write_atomic(file, _beginning() + records.get(seed, b""))

    def close(self) -> None:
        """Nothing is open between calls."""

    def _records(self, rows: Iterable[Sequence[Any]]) -> Mapping[int, bytes]:
        """Encoded scalars by seed."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        records: dict[int, list[bytes]] = {}
        for row in rows:
            tag = "/".join(str(row[i]) for i in self._names)
            if not tag.startswith(BINS):
                value = Summary.Value(tag=tag, simple_value=float(row[self._value]))
                record = _record(step=int(row[self._step]), summary=Summary(value=[value]))
                records.setdefault(int(row[self._seed]), []).append(record)
        return {seed: b"".join(own) for seed, own in records.items()}


def _beginning() -> bytes:
    """The format's version, and that a session begins: a TensorBoard that is open drops what it had read before."""
    from tensorboard.compat.proto.event_pb2 import SessionLog

    return _record(file_version="brain.Event:2") + _record(step=0, session_log=SessionLog(status=SessionLog.START))


def _record(**content: Any) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    RecordWriter(stream).write(Event(wall_time=time.time(), **content).SerializeToString())
    return stream.getvalue()
