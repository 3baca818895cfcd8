"""Tables for people: in a terminal, in a README, in a paper."""

import math
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import pandas as pd
from tabulate import SEPARATING_LINE, tabulate

from repro.errors import UserError, unknown
from repro.storage.schema import HEAD, TAIL
from repro.storage.statistics import Estimate, mean_in_words, number

LEDGER = ["claim", "published", "ours", "scale", "direction", "size", "verdict", "all at once"]
POST_HOC = "worded after its runs"
FORMATS = ("text", "markdown", "latex", "csv")
# Wider cells are wrapped in a terminal: a ledger row with its sentence stays readable in 120 columns.
_CELL_WIDTH = 56
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def table(rows: pd.DataFrame, format: str) -> str:
    """A table as text, without a line end after the last line.

    Args:
        rows: any table; floats are shown with four significant digits (all of them in csv).
        format: text (aligned, for terminals), markdown, latex (booktabs) or csv.

    Raises:
        UserError: an unknown format.
    """
    if format not in FORMATS:
        raise unknown("table format", format, FORMATS)
    if format == "csv":
        return str(rows.to_csv(index=False, lineterminator="\n")).rstrip("\n")
    header = [str(name) for name in rows.columns]
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in rows.dtypes]
    return _WRITERS[format](header, cells(rows), numeric)


def cells(rows: pd.DataFrame) -> list[list[str]]:
    """A table's cells as text, row by row; floats with four significant digits, nothing for what is missing."""
    return [[_shown(value) for value in row] for row in rows.itertuples(index=False)]


def ledger(claims: pd.DataFrame) -> pd.DataFrame:
    """claims.csv as a table for people: *claim | published | ours | scale | direction | size | verdict*.

    Ours comes with its interval and n; of a claim of several parts it is how many hold, or what they compare where
    nothing was decided. With a column `adjusted` (see `repro.claims.family`), it comes last, as `all at once`.
    """
    rows = []
    for claim in claims.to_dict("records"):
        says = claim["says"] if claim["planned"] == "true" else f"{claim['says']} ({POST_HOC})"
        published = claim["published"] if claim["origin"] == "paper" else "(ours)"
        band = claim["band"] if ";" not in claim["band"] else "each in its band"
        size = f"{claim['size']} ({band})" if claim["size"] and band else claim["size"]
        row = [says, published, _ours(claim), claim["scale"], claim["direction"], size, claim["verdict"]]
        rows.append([*row, *([claim["adjusted"]] if "adjusted" in claim else [])])
    return pd.DataFrame(rows, columns=LEDGER if "adjusted" in claims.columns else LEDGER[:-1])


def _ours(claim: Mapping[Hashable, Any]) -> str:
    n = int(claim["n"])
    parts = re.fullmatch(r"parts of (\d+).*", claim["metric"])
    if parts and math.isnan(float(claim["ours"])):
        return f"{claim['note']} (n={n})"
    if parts:
        return f"{claim['ours']:g} of {parts[1]} (n={n})"
    bounds = (float(claim["low"]), float(claim["high"]))
    return str(Estimate(float(claim["ours"]), None if math.isnan(bounds[0]) else bounds, n))


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a variant, in the table's order, with each test metric's mean, interval and n, as text.

    Args:
        runs: runs.csv.

    Returns:
        Columns `variant`, the test metrics, or every metric where there are none, and `diverged` ("2 of 5") where any
        run diverged.
    """
    numbers = [name for name in runs.columns if name not in HEAD and pd.api.types.is_numeric_dtype(runs[name])]
    usual = [name for name in numbers if "." not in name and name not in TAIL]
    metrics = [name for name in usual if name.startswith("test_")] or usual
    diverged = (runs["status"] == "diverged").any()
    rows = []
    for variant, group in runs.groupby("variant", sort=False):
        row = [variant, *(mean_in_words(group[name].tolist()) for name in metrics)]
        if diverged:
            row.append(f"{(group['status'] == 'diverged').sum()} of {len(group)}")
        rows.append(row)
    return pd.DataFrame(rows, columns=["variant", *metrics, *(["diverged"] if diverged else [])])


def replace_between_markers(text: str, name: str, body: str) -> str:
    """Rewrites the part of a page between `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises:
        UserError: the page lacks one of the two lines, has one twice, or has them in the wrong order.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise UserError(f"the page needs the line {start} once and the line {end} once after it; add them")
    before, rest = text.split(start)
    after = rest.split(end)[1]
    return f"{before}{start}\n{body.strip()}\n{end}{after}"


def _shown(value: Any) -> str:
    if value is None or value is pd.NA:
        return ""
    return number(value) if isinstance(value, float) else str(value)


def _text(header: list[str], body: list[list[str]], numeric: list[bool]) -> str:
    align = ["right" if right else "left" for right in numeric]
    # A cell of this one control character would make tabulate draw a rule in place of its row.
    body = [[cell.replace(SEPARATING_LINE, r"\x01") for cell in row] for row in body]
    written = tabulate(
        body,
        header,
        "simple",
        colalign=align if body else None,
        headersalign=align,
        maxcolwidths=_CELL_WIDTH,
        maxheadercolwidths=_CELL_WIDTH,
        disable_numparse=True,
    )
    return str(written)


def _markdown(header: list[str], body: list[list[str]], numeric: list[bool]) -> str:
    rows = [[_one_line(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in [header, *body]]
    rule = ["---:" if right else "---" for right in numeric]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def _latex(header: list[str], body: list[list[str]], numeric: list[bool]) -> str:
    lines = [" & ".join(_escaped(cell) for cell in row) + r" \\" for row in [header, *body]]
    columns = "".join("r" if right else "l" for right in numeric)
    top = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule"]
    return "\n".join([*top, *lines[1:], r"\bottomrule", r"\end{tabular}"])


def _escaped(cell: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in _one_line(cell))


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


_WRITERS: dict[str, Callable[[list[str], list[list[str]], list[bool]], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
}
