"""The page of one finished run."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from repro.html.render import page
from repro.plots import details
from repro.storage.files import read_json, read_regular, write_atomic
from repro.storage.run_files import read_summary
from repro.storage.statistics import mean_in_words, number
from repro.storage.tables import finite, read
from repro.study.attachments import Figure, address, shaded
from repro.text import tables, translations
from repro.text.result import baselines, finding, headline, scores
from repro.text.run import layer_table
from repro.text.words import metric

Table = tuple[str, list[str], list[list[str]]]  # caption, columns, rows


def write(folder: Path) -> Path:
    """Write `index.html` into a finished run's folder.

    Raises:
        UserError: one of its files is missing or damaged, or the folder cannot be written.
    """
    out = folder / "index.html"
    write_atomic(out, run_page(folder))
    return out


def run_page(folder: Path) -> str:
    """The page: headline, scores, figures, the layers' table, settings, provenance."""
    summary = read_summary(folder)
    own = folder / "provenance.json"
    provenance = read_json(own) if own.is_file() else {}
    config = folder / "config.yaml"
    return page(
        "run.html",
        title=headline(summary["settings"]) or folder.name,
        name=folder.resolve().name,
        finding=finding(summary),
        command=command(provenance),
        scores=_table("Final metrics", pd.DataFrame(scores(summary), columns=["metric", "value"])),
        figures=_figures(folder, summary),
        tables=[table for table in (_texts(folder), _layers(folder, summary), _indices(folder)) if table],
        facts=_facts(summary, provenance),
        notes="\n".join([*summary.get("notes", []), "", *baselines(summary.get("baselines", {}))]).strip(),
        config=read_regular(config).decode(errors="replace") if config.exists() else "",
        files=[*sorted(path.name for path in folder.glob("*.csv")), "summary.json"],
    )


def command(provenance: Mapping[str, Any]) -> str:
    """The command that trains the run again; empty where its provenance has only that of a sweep, or none."""
    words, argv = provenance.get("words"), provenance.get("argv") or [""]
    if words is None and argv[0] == "repro train" and not {"-m", "--multirun"} & set(argv):
        words = argv[1:]
    if words is None:
        return ""
    kept = [_unquoted(str(word)) for word in words if not str(word).startswith("force=")]
    return shlex.join(["repro", "train", *kept, "force=true"])  # or it would be skipped, being there


def _unquoted(word: str) -> str:
    """A word without the quotes that `repro train` would put around its value again."""
    from repro.config.quoting import quoted  # Hydra takes its time

    plain = re.sub(r"^([^=\s]+)='([^'\\]*)'$", r"\1=\2", word)
    return plain if quoted([plain]) == [word] else word


def _figures(folder: Path, summary: Mapping[str, Any]) -> list[Figure]:
    return [
        Figure(drawing.name, drawing.caption, address(drawing.svg.encode()), (), True, shaded(drawing.svg.encode()))
        for drawing in details.draw(folder, summary)
    ]


def _texts(folder: Path) -> Table | None:
    """A few texts beside what was wanted, where the run wrote any."""
    rows = translations.chosen(folder)
    if rows.empty:
        return None
    shown = rows[["target", "predicted"]].rename(columns={"target": "wanted", "predicted": "said"})
    first = rows.iloc[0]
    caption = f"{len(rows)} of {first['among']:,} texts of {first['split']}, from short to long"
    return caption, [str(name) for name in shown.columns], shown.to_numpy().tolist()


def _layers(folder: Path, summary: Mapping[str, Any]) -> Table | None:
    about, shown = layer_table(read(folder / "layers.csv"), summary)
    return None if shown is None else _table(about[:1].upper() + about[1:], shown)


def _indices(folder: Path) -> Table | None:
    """The spectrum's indices at the last measurement: mean over the seeds, or one seed's value."""
    path = folder / "spectrum.csv"
    if not path.is_file():
        return None
    rows = read(path)
    rows = rows[rows["index"].isna() & (rows["step"] == rows["step"].max())]
    lines = []
    for (method, quantity), own in rows.groupby(["method", "quantity"], sort=False):
        values = [float(value) for value in own["value"] if finite(float(value))]
        if values:
            shown = mean_in_words(values) if len(own) > 1 else number(values[0])
            lines.append((metric(str(quantity)), shown, method))
    columns = ["quantity", "value", "method"]
    return _table(f"Spectrum of the Hessian at step {rows['step'].max()}", pd.DataFrame(lines, columns=columns))


def _table(caption: str, rows: pd.DataFrame) -> Table:
    return caption, [str(name) for name in rows.columns], tables.cells(rows)


def _facts(summary: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the run besides its settings, without what is not."""
    seeds, stopped = summary["seeds"], ", stopped early" if summary.get("stopped_early") else ""
    sizes = summary.get("samples") or {}
    commit = str(provenance.get("commit") or "")
    versions = provenance.get("versions") or {}
    facts = {
        "Status": summary["status"],
        "Seeds": ", ".join(map(str, seeds)),
        "Steps": f"{summary['steps']:,} ({summary['epochs']:.4g} epochs{stopped})",
        "Time": f"{summary['seconds']:.4g} s on {summary['device']}",
        "Parameters": f"{summary['parameters']:,}" if "parameters" in summary else "",
        "Data": summary.get("data", ""),
        **{name.upper(): str(how) for name, how in summary.get("methods", {}).items()},
        "Samples": _sizes(sizes) if isinstance(sizes, Mapping) else "",
        "Commit": commit + (" with changes" if provenance.get("dirty") else ""),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _sizes(samples: Mapping[str, Any]) -> str:
    """Samples by split; drawn anew in every epoch where there is no number."""
    return ", ".join(f"{split} {'drawn anew' if n is None else f'{n:,}'}" for split, n in samples.items())
