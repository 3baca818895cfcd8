"""The only door from configuration to object. Everything below it takes plain Python values."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
import types
import typing
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from repro.config.groups import ADDRESS, DECLARED
from repro.errors import UserError, unknown
from repro.paths import working_folder

ALLOWED = ("repro.", "torch.nn.", "torch.optim.")
# Where the parts of a run come from. What else is ours writes files, removes folders, starts programs and builds
# whatever it is told to: nothing that a configuration may call.
HOMES = (
    *(f"repro.{room}" for room in ("datasets", "diagnostics.spectrum", "experiments", "model", "procedures")),
    *("repro.schedules", "repro.tasks", "torch.nn", "torch.optim"),
)
NO_HOMES = ("repro.datasets.store",)
LISTS = (list, tuple, Sequence)
UNIONS = (typing.Union, types.UnionType)


def build(node: Mapping[str, Any], where: str, trusted: Sequence[str] = (), **arguments: Any) -> Any:
    """Build the object that a configuration node describes.

    Args:
        node: plain dict with `_target_` and its arguments; nested nodes are built first.
        where: the node's key, for error messages.
        trusted: packages whose targets are allowed besides repro, torch.nn and torch.optim.
        arguments: what only the program knows (number of inputs, generator ...).

    Raises:
        UserError: forbidden or unknown target, unknown or wrongly typed argument, a value the component refuses.
    """
    check_node(node, where, trusted)
    try:
        # In two steps, since Hydra would turn dataclass arguments into configuration nodes.
        own = {key: value for key, value in node.items() if key not in DECLARED}
        made = instantiate(own, _convert_="all", _partial_=True)
        return made if node.get("_partial_") else made(**arguments)
    except UserError as error:
        raise _explained(error, where) from error
    except InstantiationException as error:
        raise _explained(error.__cause__ or error, where) from error
    except (ValueError, TypeError) as error:
        raise _explained(error, where) from error


def _explained(error: BaseException, where: str) -> Exception:
    if isinstance(error, UserError):  # says by itself what to do
        return error if str(error).startswith((f"{where}.", f"{where}=")) else UserError(f"{where}: {error}")
    if isinstance(error, ValueError | TypeError):
        return UserError(f"{where}: {_one_line(error)} (see: repro list {where})")
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def locate(node: Mapping[str, Any], where: str, trusted: Sequence[str] = ()) -> Any:
    """The class or function that a node names, its options apart; raises `UserError` as `build` does."""
    return _locate(node["_target_"], where, trusted)


def takes(node: Mapping[str, Any], argument: str) -> bool:
    """Whether what a node names has an argument of this name."""
    return argument in inspect.signature(locate(node, "", [node["_target_"].partition(".")[0]])).parameters


def check_node(node: Mapping[str, Any], where: str, trusted: Sequence[str] = ()) -> None:
    """Check targets, argument names and argument types of a node and of the nodes inside it, building nothing."""
    target = node.get("_target_")
    if not isinstance(target, str):
        raise UserError(f"{where} has no _target_; see: repro list {where}")
    made = _locate(target, where, trusted)
    names, hints = _signature(made)
    for key, value in node.items():
        if key != "_target_":
            _check_inside(value, f"{where}.{key}", trusted)
        if key.startswith("_") and key.endswith("_"):
            if key not in (*ADDRESS, "_convert_", "_recursive_"):
                raise UserError(f"{where}.{key} is no option; give options by their names, see: repro list {where}")
            continue
        if names is not None and key not in names:
            raise unknown(f"option of {target}", f"{where}.{key}", [f"{where}.{name}" for name in names])
        built = isinstance(value, Mapping) and "_target_" in value
        if key in hints and not built and not _fits(value, hints[key]):
            raise UserError(f"{where}.{key} must be {_say(hints[key])}, not {'null' if value is None else repr(value)}")


def _check_inside(value: Any, where: str, trusted: Sequence[str]) -> None:
    """Check every node under a value, however deep: Hydra would build each of them."""
    if isinstance(value, str) and "${" in value:
        # Hydra would look it up while it builds, when everything has been checked, and it can stand for a node.
        raise UserError(f"{where} must be a plain value, not {value!r}")
    if isinstance(value, Mapping) and "_target_" in value:
        check_node(value, where, trusted)
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            _check_inside(inside, f"{where}.{key}", trusted)
    elif isinstance(value, list | tuple):
        for i, inside in enumerate(value):
            _check_inside(inside, f"{where}.{i}", trusted)


def _locate(target: str, where: str, trusted: Sequence[str]) -> Any:
    package = target.partition(".")[0]
    own = package in trusted
    if not own and target.startswith(ALLOWED):
        if "._" in target:  # before anything is imported: `repro.__main__` would start the program anew
            raise _no_part(target, where)
    elif not own:
        allowed = ", ".join(f"{prefix}*" for prefix in ALLOWED)
        raise UserError(
            f"{where}._target_ is {target!r}; allowed: {allowed}; if you trust the package, add: trusted=[{package}]"
        )
    try:
        if own:
            _import_beside_working_folder(package)
        part = _imported(target, where)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever importing the user's module raises
        reason, place = f"{type(error).__name__}: {_one_line(error)}", _place(error, package) if own else ""
        raise UserError(
            f"{where}._target_ {target!r} cannot be imported ({reason}){place}; mend it or name another"
        ) from error
    if not own and not _is_part(part):
        raise _no_part(target, where)
    return part


def _place(error: BaseException, package: str) -> str:
    """Where in a package an error came up, as the end of a sentence; nothing where it was not in the package."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" in {error.filename}, line {error.lineno}"
    lines = [
        f" in {frame.f_code.co_filename}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return lines[-1] if lines else ""


def _is_part(part: Any) -> bool:
    """Whether a class or function comes from where the parts of a run are: a module of ours may import `os`, but
    `repro.that_module.os.system` is none of our components."""
    home = str(getattr(part, "__module__", None))
    inside, outside = (any(f"{home}.".startswith(f"{m}.") for m in modules) for modules in (HOMES, NO_HOMES))
    return isinstance(part, type | types.FunctionType) and inside and not outside


def _no_part(target: str, where: str) -> UserError:
    return UserError(f"{where}._target_ is {target!r}, which is no part of a run; see: repro list")


def _imported(target: str, where: str) -> Any:
    """The object of a dotted name: the longest part that is a module, then attributes."""
    names = target.split(".")
    part: Any = importlib.import_module(names[0])
    for i, name in enumerate(names[1:], 1):
        module = ".".join(names[: i + 1])
        if not hasattr(part, name) and isinstance(part, types.ModuleType) and _is_module(module):
            importlib.import_module(module)
        if not hasattr(part, name):
            inside = ".".join(names[:i])
            public = [f"{inside}.{n}" for n in dir(part) if not n.startswith("_")]
            near = get_close_matches(module, public, n=2, cutoff=0.6)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise UserError(f"{where}._target_ is {target!r}, but there is no {name!r} in {inside}{hint}")
        part = getattr(part, name)
    return part


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the name before the last dot is a module without others in it
        return False


def _import_beside_working_folder(package: str) -> None:
    """A trusted package may simply lie in the working folder; an installed program does not look there."""
    if package in sys.modules or importlib.util.find_spec(package) is not None:
        return
    spec = importlib.machinery.PathFinder.find_spec(package, [str(working_folder())])
    if spec is None or spec.loader is None:
        raise UserError(
            f"trusted package {package!r} is neither installed nor in the working folder {working_folder()}"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(package, None)  # half made; the next one to ask would take it for the whole
        raise


def _signature(made: Any) -> tuple[list[str] | None, dict[str, Any]]:
    """Argument names (None: it takes any) and type hints of a class or function."""
    try:
        parameters = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):  # some built-in callables have none
        return None, {}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    try:
        hints = typing.get_type_hints(vars(made).get("__init__", made) if isinstance(made, type) else made)
    except (NameError, TypeError):  # hints that only a type checker can resolve
        hints = {}
    return (None if open_ended else [p.name for p in parameters]), hints


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value can stand for a type hint; hints about anything else than plain values pass."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is None:
        return True
    if value is None:
        return hint is type(None) or (origin in UNIONS and any(_fits(None, part) for part in arguments))
    if origin in UNIONS:
        return any(_fits(value, part) for part in arguments)
    if origin is typing.Literal:
        return value in arguments
    if hint is bool or isinstance(value, bool):
        return (
            hint not in (int, float, str, type(None))
            if isinstance(value, bool)
            else hint not in (bool, int, float, str)
        )
    if hint is float:
        return isinstance(value, int | float)
    if hint in (int, str):
        return isinstance(value, hint)
    if hint is Path:
        return isinstance(value, str | Path)
    if origin in LISTS:
        return isinstance(value, list | tuple) and _items_fit(value, origin, arguments)
    # A plain value can never be a tensor, a module or a callable.
    return not isinstance(value, int | float | str) if isinstance(hint, type) else True


def _items_fit(value: Sequence[Any], origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    return all(_fits(item, arguments[0]) for item in value) if arguments else True


def _say(hint: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        # What nobody can type (a tensor, say) is left out.
        allowed = [_say(part) for part in arguments if part in words or typing.get_origin(part) in LISTS]
        return " or ".join(dict.fromkeys(allowed)) or str(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple and arguments and Ellipsis not in arguments:
        return f"a list of {len(arguments)}, each {_say(arguments[0])}"
    if origin in LISTS and arguments:
        return f"a list, each {_say(arguments[0])}"
    return words.get(hint, str(hint))


def _one_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
