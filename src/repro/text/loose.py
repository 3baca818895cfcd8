"""Numbers and verdicts that a page's last part says by itself, where it should refer to the tables."""

import re
from collections.abc import Iterator

PART = "## 4 "
_REFERENCE = re.compile(r"\{[a-z_]+:[^{}]+\}")
# What looks like a number and is a name or an address.
_NAMES = re.compile(
    r"""^\#.*$                                          # headings
    | `[^`\n]*`                                        # code
    | \]\([^)\n]*\)                                     # where a link or a figure lies
    | <!--[^>]*-->
    | \b(?:Tables?|Figures?|Eqs?\.|[Ss]ections?)\s\d+(?:,\s\d+)*(?:\s(?:and|to)\s\d+)?
    | \b\d+(?:-\d+){2,}\b                               # nets: 2-8-2-1
    | \b[A-Z][A-Za-z]*-?\d[\w.]*                        # L2, C3, CIFAR-10, VGG19
    """,
    re.VERBOSE | re.MULTILINE,
)
_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    "ninety|hundred|thousand|million|half|halves|twice|thrice"
)
_PARTS = "third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|twentieth|hundredth|thousandth"
_NUMBER = re.compile(
    rf"""[-−±]?\d[\d.,]*(?:e[-+]?\d+)?%?
    | \b(?:{_WORDS})(?:-?fold)?\b(?!-normal)
    | \ba\s(?:{_PARTS})\b | \b(?:{_PARTS})s\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VERDICT = re.compile(
    r"\b(?:not\s+)?reproduced\b|\bdirection\s+only\b|\binconclusive\b|\bholds?\b|\b(?:do|does|did)\s+not\s+hold\b"
)


def loose(page: str) -> Iterator[tuple[int, str]]:
    """Line and words of every number and verdict in the part on what came out that is no reference to a table.

    Numbers in words count as well (two and up, halves, thirds, tenths). Headings, code, addresses, nets (2-8-2-1),
    names such as L2, and the numbers of tables, figures, equations and sections do not.

    Args:
        page: a paper's `page.md`; without a part "## 4 ..." it says nothing that would be looked at.
    """
    start = page.find(f"\n{PART}") + 1
    if not start:
        return
    start = page.index("\n", start)
    # Blanked, not cut out, so that places stay what they are and words do not grow together.
    text = page[start:]
    for pattern in (_REFERENCE, _NAMES):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    found = [match for pattern in (_NUMBER, _VERDICT) for match in pattern.finditer(text)]
    for match in sorted(found, key=lambda match: match.start()):
        yield page.count("\n", 0, start + match.start()) + 1, " ".join(match[0].split())
