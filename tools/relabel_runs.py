"""Give the committed tables the ids that their runs have now, after a change of what an id is made of.

    python tools/relabel_runs.py [PAPER/EXPERIMENT]

A run of a table and a run of its experiment's file are the same where variant, swept settings and seeds are: ids play
no part in it. Nothing is written unless every run of a table is found exactly once, and unless every cell of every
table but the id is what it was. The change must move no number: that is for whoever makes it to know.
"""

import csv
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from repro.errors import UserError
from repro.storage.files import compressed, write_atomic
from repro.storage.tables import cell
from repro.study.experiment import select
from repro.study.publish import Plan, plan

Key = tuple[str, tuple[str, ...], tuple[int, ...]]  # variant, swept settings, seeds


def main() -> None:
    """Relabel one experiment, or all."""
    for experiment in select(sys.argv[1] if len(sys.argv) > 1 else None):
        planned = plan(experiment, "published")
        if (planned.folder / "runs.csv").exists():
            fresh = new_ids(planned)
            changed = {old: new for old, new in fresh.items() if old != new}
            if changed:
                relabel(planned.folder, changed)
            print(f"{experiment.name}: {len(changed)} of {len(fresh)} runs have another id")


def new_ids(planned: Plan) -> dict[str, str]:
    """Of every run in the table, its id in the table and its id now."""
    names = list(dict.fromkeys(name for one in planned.expected.values() for name in one.settings))
    with (planned.folder / "runs.csv").open(newline="", encoding="utf-8") as stream:
        rows: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(stream):
            rows.setdefault(row["run"], []).append(row)
    there: dict[Key, str] = {}
    for run, own in rows.items():
        settings = tuple(own[0][name] for name in names)
        there[own[0]["variant"], settings, tuple(sorted(int(row["seed"]) for row in own))] = run
    expected = {
        (one.variant, tuple(cell(one.settings.get(name)) for name in names), tuple(one.seeds)): run
        for run, one in planned.expected.items()
    }
    if len(there) < len(rows) or len(expected) < len(planned.expected) or not there.keys() <= expected.keys():
        strange = sorted(map(str, there.keys() - expected.keys()))[:3]
        raise UserError(f"the runs of {planned.folder} are not those of its experiment file, e.g. {strange}")
    return {run: expected[key] for key, run in there.items()}


def relabel(folder: Path, changed: dict[str, str]) -> None:
    """Put other ids into the tables of a folder, all checked before the first is written."""
    written: dict[Path, bytes] = {}
    for path in [folder / "runs.csv", *sorted(folder.glob("*.csv.gz"))]:
        parts = list(members(path.read_bytes())) if path.suffix == ".gz" else [path.read_bytes()]
        texts = [part.decode() for part in parts]
        fresh = ["".join(relabelled(line, changed) for line in text.splitlines(keepends=True)) for text in texts]
        if not same_but_ids("".join(texts), "".join(fresh), changed):
            raise UserError(f"{path} would have other values than before; nothing was written")
        packed = (compressed([text]) if path.suffix == ".gz" else text.encode() for text in fresh)
        written[path] = b"".join(packed)
    path = folder / "provenance.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for way in told["ways"]:
        way["runs"] = [changed.get(run, run) for run in way["runs"]]
    written[path] = (json.dumps(told, indent=2) + "\n").encode()
    for path, data in written.items():
        write_atomic(path, data)


def members(data: bytes) -> Iterator[bytes]:
    """The gzip files that one file is made of, unpacked."""
    while data:
        unpacking = zlib.decompressobj(wbits=31)
        yield unpacking.decompress(data)
        data = unpacking.unused_data


def relabelled(line: str, changed: dict[str, str]) -> str:
    """A line with the id of now; ids come first in every table."""
    run, comma, rest = line.partition(",")
    return changed.get(run, run) + comma + rest


def same_but_ids(before: str, after: str, changed: dict[str, str]) -> bool:
    """Whether every cell but the first of a line is what it was, and the first what it should be."""
    pairs = zip(csv.reader(before.splitlines()), csv.reader(after.splitlines()), strict=True)
    return all(one[1:] == two[1:] and changed.get(one[0], one[0]) == two[0] for one, two in pairs)


if __name__ == "__main__":
    main()
