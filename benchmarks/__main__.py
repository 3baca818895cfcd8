"""`python -m benchmarks [--markdown] [PART ...]`."""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import (
    diagnostics,
    generators,
    hessian,
    images,
    language_model,
    overhead,
    replicas,
    startup,
    texts,
    watch,
)
from benchmarks.measure import Row

PARTS = {
    "replicas": replicas,
    "startup": startup,
    "diagnostics": diagnostics,
    "overhead": overhead,
    "language_model": language_model,
    "generators": generators,
    "images": images,
    "hessian": hessian,
    "texts": texts,
    "watch": watch,
}
LATEST = Path(__file__).parent / "latest.json"


def main() -> None:
    """Measure, print, keep in `latest.json`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    asked = parser.parse_args()
    rows: list[Row] = []
    for name in asked.parts or PARTS:
        print(f"measuring {name} ...", file=sys.stderr)
        rows += PARTS[name].rows()
    machine = {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    LATEST.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    cells = [("bar", "measured", "required", "met"), *(_cells(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    if asked.markdown:
        cells.insert(1, tuple("-" * width for width in widths))
    edge, between = ("| ", " | ") if asked.markdown else ("", "  ")
    for row in cells:
        line = between.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print((edge + line + edge[::-1]).rstrip())
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine.items()))


def _cells(row: Row) -> tuple[str, str, str, str]:
    return row.bar, row.measured, row.required, {True: "yes", False: "no", None: ""}[row.met]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


main()
