"""Why deep networks train or fail to train: papers reproduced by a command, and the same tools for nets of one's own.

Nothing is imported before it is used: `import repro` costs no torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro import activations, backward
    from repro.model.surgery import replace
    from repro.notebook import judge, load, run, table
    from repro.watching import watch
    from repro.watching.hessian import hessian

__all__ = ["activations", "backward", "hessian", "judge", "load", "replace", "run", "table", "watch"]

_PLACES = {
    "activations": "repro.activations",
    "backward": "repro.backward",
    "hessian": "repro.watching.hessian:hessian",
    "judge": "repro.notebook:judge",
    "load": "repro.notebook:load",
    "replace": "repro.model.surgery:replace",
    "run": "repro.notebook:run",
    "table": "repro.notebook:table",
    "watch": "repro.watching:watch",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'repro' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _PLACES[name].partition(":")
    return getattr(import_module(module), attribute) if attribute else import_module(module)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
