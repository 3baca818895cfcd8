"""The table of quantities in `docs/quantities.md`."""

from repro.diagnostics.quantities import ALWAYS, REGISTRY


def markdown() -> str:
    """The table as text, a line a quantity."""
    lines = ["| quantity | definition | unit, range |", "|---|---|---|"]
    for q in REGISTRY.values():
        asked = "" if f"`{q.name}`" in q.writes or q.name in ALWAYS else f" (asked for as `{q.name}`)"
        cells = (cell.replace("|", "\\|") for cell in (f"{q.writes}{asked}", q.says, q.unit))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
