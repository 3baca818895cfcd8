"""Names of metrics, quantities, variants and settings in words, for those who read and do not type."""

import re

# Shares of the Hessian's eigenvalues, the thresholds being relative to the greatest; see docs/quantities.md.
_HESSIAN = {
    "gamma_structural": "share of exactly flat directions",
    r"gamma_(\de-\d)": r"share of flat directions (up to \1)",
    "alpha_raw": "share of directions of negative curvature (rounding included)",
    r"alpha_(\de-\d)": r"share of directions of negative curvature (beyond \1)",
    "zero_residuals": "share of zero residuals",
    "lambda_min": "least eigenvalue",
    "lambda_max": "greatest eigenvalue",
    "loss": "loss on all training samples",
    "accuracy": "accuracy on all training samples",
}
_SETTINGS = {"lr": "learning rate", "l2": "L2 penalty", "std": "standard deviation"}
_PHRASES = (
    (r"(?<=\w) depth (\d+)\b", r" in layer \1"),
    (r"(?: at)? step last\b", " at the end"),
    (r"(?: at)? step first\b", " at the start"),
    (r" at mean of last (\d+)", r", mean of the last \1"),
    (r" at swing of last (\d+)", r", swing of the last \1"),
)
_NAME = re.compile(r"[a-z]\w*_[\w-]*\w", re.IGNORECASE)
_SETTING = re.compile(r"\b(?:[a-z]\w*\.)+([a-z]\w*)(=?)|\b([a-z]\w*)=")


def metric(name: str) -> str:
    """A metric or a quantity in words.

    Args:
        name: as in the tables: `test_accuracy`, `hessian_alpha_1e-8`, `saturated_share`.
    """
    kind = name.removeprefix("hessian_")
    for pattern, words in _HESSIAN.items():
        if re.fullmatch(pattern, kind) and (kind != name or "_" in pattern):
            return re.sub(pattern, words, kind)
    return plain(name)


def plain(name: str) -> str:
    """A name with spaces; "at best valid" is where the validation score of that very metric was best."""
    best = re.fullmatch(r"test_(\w+)_at_best_valid", name)
    name = re.sub(r"(?<=\d)_(?=\d)", "-", name)  # relu_8_2 is a net of two layers
    return (f"test {best[1]} at best valid {best[1]}" if best else name).replace("_", " ")


def in_words(text: str) -> str:
    """A note or a label with every name in it in words: "test_loss of relu_he" becomes "test loss of relu he"."""
    text = _SETTING.sub(lambda found: f"{_setting(found[1] or found[3])}{' ' if found[2] != '' else ''}", text)
    text = _NAME.sub(lambda found: metric(found[0]), text)
    for pattern, words in _PHRASES:
        text = re.sub(pattern, words, text)
    return text


def _setting(name: str) -> str:
    return _SETTINGS.get(name, name.replace("_", " "))
