"""`repro completion`: completion scripts, and the hidden verb that answers them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from repro.config.groups import GROUPS
from repro.errors import UserError
from repro.verbs.list import options
from repro.verbs.parser import VERBS, parser, with_results_dir

SCRIPTS = {
    "bash": """\
_repro() {
  local IFS=$'\\n' cur="${COMP_LINE:0:$COMP_POINT}"
  COMPREPLY=($(repro _complete "$cur" 2>/dev/null))
  # bash splits words at '=', so the part before it must not be repeated
  local word="${cur##* }"
  case "$word" in *=*) COMPREPLY=("${COMPREPLY[@]#"${word%=*}="}");; esac
  case "${COMPREPLY[*]}" in *=) compopt -o nospace 2>/dev/null;; esac
}
complete -F _repro repro
""",
    "zsh": """\
#compdef repro
_repro() {
  local -a found
  found=("${(@f)$(repro _complete "${BUFFER[1,CURSOR]}" 2>/dev/null)}")
  compadd -Q -S '' -- $found
}
compdef _repro repro
""",
    "fish": """\
complete -c repro -f -a '(repro _complete (commandline -cp) 2>/dev/null)'
""",
}

DIGITS = 2  # of an id that is completed
EXAMPLES = """\
  eval "$(repro completion bash)"        # in ~/.bashrc
  eval "$(repro completion zsh)"         # in ~/.zshrc, after compinit
  repro completion fish > ~/.config/fish/completions/repro.fish
"""

ROOT_KEYS = (
    "seed=",
    "replicas=",
    "device=",
    "threads=",
    "results_dir=",
    "data_dir=",
    "force=",
    "trusted=",
    "tensorboard=",
    "wandb=",
    "mlflow=",
    "trainer.epochs=",
    "trainer.batch_size=",
    "optimizer.lr=",
    "architecture.depth=",
    "architecture.width=",
    "diagnostics.every=",
)


def main(words: Sequence[str]) -> int:
    """Run `repro completion SHELL`."""
    verb = parser("completion", EXAMPLES)
    verb.add_argument("shell", choices=sorted(SCRIPTS), help="the shell to write a script for")
    print(SCRIPTS[verb.parse_args(words).shell], end="")
    return 0


def complete(words: Sequence[str]) -> int:
    """Print the candidates for the last word of a command line, one a line."""
    line = words[0] if words else ""
    typed = line.split()
    current = "" if line.endswith(" ") or not typed else typed.pop()
    for candidate in _candidates(typed[1:], current):
        if candidate.startswith(current):
            print(candidate)
    return 0


def _candidates(before: Sequence[str], current: str) -> Iterable[str]:
    if not before:
        return VERBS
    verb = before[0]
    if verb == "completion":
        return SCRIPTS
    if verb == "list":
        return GROUPS if len(before) == 1 else [name for name, _ in options(before[1])]
    if (verb in ("reproduce", "figures", "table", "status") and len(before) == 1) or before[:2] == ["claims", "check"]:
        experiments = [name for name, _ in options("experiment")]
        return sorted({name.partition("/")[0] for name in experiments} | set(experiments))
    if verb in ("show", "compare") or (verb in ("diagnose", "export") and len(before) == 1):
        return _runs(before[1:], current)
    if verb == "runs":
        return [*_runs(before[1:], current), *_filters(before[1:], current)]
    if verb == "data":
        from repro.datasets.store.sources import REGISTRY

        return ("list", "fetch", "verify", "describe") if len(before) == 1 else sorted(REGISTRY)
    if before == ["claims"]:
        return ("check",)
    if verb == "reproduce" and current.startswith("scale="):
        return ("scale=smoke", "scale=quick", "scale=full", "scale=published")
    if verb == "diagnose":
        return [*(f"hessian={name}" for name, _ in options("hessian")), *_nested(before[2:], current)]
    if verb in ("train", "reproduce"):
        return [*_settings(before[1:], current), *(["scale=", "train="] if verb == "reproduce" else ["-m"])]
    return ()


def _settings(words: Sequence[str], current: str) -> Iterable[str]:
    """Groups, a group's options, or the keys of the option that the words before choose."""
    group, equals, _ = current.partition("=")
    if equals and group in GROUPS:
        return [f"{group}={name}" for name, _ in options(group)]
    return dict.fromkeys([*(f"{g}=" for g in GROUPS), *ROOT_KEYS, *_nested(words, current)])


def _nested(words: Sequence[str], current: str) -> list[str]:
    group, dot, _ = current.partition(".")
    if not dot or group not in GROUPS or group == "experiment":
        return []
    from repro.config.short_keys import keys  # OmegaConf takes its time

    return [f"{key}=" for key in keys(group, words)]


def _filters(words: Sequence[str], current: str) -> Iterable[str]:
    """Words of `repro runs`."""
    if current.startswith("status="):
        from repro.storage.run_files import STATUSES

        return [f"status={status}" for status in STATUSES]
    return ["status=", *_settings(words, current)]


def _runs(words: Sequence[str], current: str) -> list[str]:
    """Names of the runs that are not on the line yet, with the folder above where that is typed; and their ids."""
    from repro.storage.run_files import run_folders

    try:
        given = with_results_dir("show", words)
    except UserError:  # the folder is not typed yet
        return []
    place = given[given.index("--results-dir") + 1] if "--results-dir" in given else "results"
    runs = Path(place) / "runs"
    names = [folder.relative_to(runs).as_posix() for folder in run_folders(runs)]
    if "/" not in current:
        names = sorted(name.rpartition("/")[2] for name in names)
    ids = [name.rpartition("-")[2] for name in names] if len(current) >= DIGITS else []
    return [name for name in (*names, *ids) if name not in words]
