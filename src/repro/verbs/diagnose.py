"""`repro diagnose`: the spectrum of a finished run's Hessian."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repro.errors import UserError
from repro.storage.run_files import read_summary
from repro.verbs.parser import parser

EXAMPLES = """\
  repro diagnose results/runs/digits/mlp-tanh-seed0-2047450a07
  repro diagnose 2047450a07 hessian=slq hessian.probes=20
  repro diagnose 2047450a07 hessian=lanczos hessian.extremes=5
"""

LARGE = 4000  # parameters from which on the whole matrix takes more than minutes


def main(words: Sequence[str]) -> int:
    """Run `repro diagnose RUN`."""
    verb = parser("diagnose", EXAMPLES)
    verb.add_argument("run", help="a run's folder, its id, or a part of the folder's name that no other run has")
    verb.add_argument(
        "settings",
        nargs="*",
        metavar="hessian=METHOD",
        help=f"exact, lanczos or slq, and hessian.KEY=VALUE for its settings (repro list hessian); "
        f"if it is not given, exact up to {LARGE:,} parameters, slq beyond, lanczos where slq takes too much memory",
    )
    verb.add_argument("--results-dir", default="results", help="folder of the runs")
    asked = verb.parse_args(words)
    for word in asked.settings:
        if word.partition("=")[0].partition(".")[0] not in ("hessian", "trusted"):
            raise UserError(
                f"{word}: the run is trained, and only hessian=METHOD, hessian.KEY=VALUE and "
                "trusted=[PACKAGE] can be set now"
            )
    from repro.verbs.show import check_finished, find

    folder = find(asked.run, Path(asked.results_dir))
    check_finished(folder)
    method, trusted = _asked(asked.settings, read_summary(folder).get("parameters", 0))
    from repro.training.diagnosis import diagnose

    print(_told(diagnose(folder, method, trusted)))
    print(f"spectrum  {folder / 'spectrum.csv'}")
    return 0


def _asked(words: Sequence[str], parameters: int) -> tuple[dict[str, Any], list[str]]:
    """The node of the chosen method, and the packages trusted on the command line."""
    from omegaconf import OmegaConf

    from repro.config.compose import compose
    from repro.diagnostics.spectrum import basis_size
    from repro.memory import machine

    chosen = any(word.startswith("hessian=") for word in words)
    settings = compose(words if chosen else [f"hessian={'exact' if parameters <= LARGE else 'slq'}", *words])
    own = any(word.startswith("hessian.") for word in words)
    if not chosen and not own and parameters > LARGE:
        quadrature = settings.hessian
        if basis_size(parameters, quadrature.probes, quadrature.steps) > machine() / 4:
            settings = compose(["hessian=lanczos", *words])
    method = settings.hessian
    if method is None:
        raise UserError("hessian=null measures nothing; take exact, lanczos or slq")
    node = OmegaConf.to_container(method)
    assert isinstance(node, dict)
    return {str(k): v for k, v in node.items()}, list(settings.trusted)


def _told(lines: Sequence[tuple[Any, ...]]) -> str:
    """Every index, over seeds or, of a single seed, with its error over probes."""
    import pandas as pd

    from repro.storage.schema import SPECTRUM
    from repro.storage.statistics import estimate, number
    from repro.text import tables

    table = pd.DataFrame(lines, columns=list(SPECTRUM))
    table = table[table["index"].isna()]
    bounds = table.groupby("quantity")["value"].mean()
    table = table[~table["quantity"].str.endswith(("_low", "_high"))]
    rows = []
    for quantity, own in table.groupby("quantity", sort=False):
        shown = str(estimate(own["value"].tolist()))
        if len(own) == 1:
            error = own["error"].iloc[0]
            shown = number(own["value"].iloc[0]) + ("" if pd.isna(error) else f" ± {number(error)} over probes")
        if f"{quantity}_low" in bounds:
            shown += f", bounds {number(bounds[f'{quantity}_low'])} and {number(bounds[f'{quantity}_high'])}"
        rows.append({"quantity": quantity, "value": shown})
    return tables.table(pd.DataFrame(rows), "text")
