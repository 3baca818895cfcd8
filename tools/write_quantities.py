"""Put the table of all quantities into docs/quantities.md, from what the quantities say of themselves.

python tools/write_quantities.py
"""

from repro.diagnostics.page import markdown
from repro.paths import CLONE

PAGE = CLONE / "docs" / "quantities.md"
BEGIN, END = "<!-- layers -->\n", "\n<!-- /layers -->"

if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{markdown()}{END}{rest.partition(END)[2]}", encoding="utf-8")
