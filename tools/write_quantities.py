"""Put the table of all quantities into docs/quantities.md, from what the quantities say of themselves.

python tools/write_quantities.py
"""

from repro.diagnostics.quantities import ALWAYS, REGISTRY
from repro.paths import CLONE

PAGE = CLONE / "docs" / "quantities.md"
BEGIN, END = "<!-- layers -->\n", "\n<!-- /layers -->"


def markdown() -> str:
    """The table as text, a line a quantity."""
    lines = ["| quantity | definition | unit, range |", "|---|---|---|"]
    for q in REGISTRY.values():
        asked = "" if f"`{q.name}`" in q.writes or q.name in ALWAYS else f" (asked for as `{q.name}`)"
        cells = (cell.replace("|", "\\|") for cell in (f"{q.writes}{asked}", q.says, q.unit))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{markdown()}{END}{rest.partition(END)[2]}", encoding="utf-8")
