"""`repro export`: a finished run's net as a plain state_dict, and the script that loads it."""

import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import PathFinder
from keyword import iskeyword
from pathlib import Path

from repro.errors import UserError
from repro.verbs.parser import parser

EXAMPLES = """\
  repro export 2047450a07 --to model.pt
  repro export noisy_tanh-seed0x5 --to nets/third.pt --seed 2
"""

SCRIPT = '''\
"""The net of {name}: `from {module} import net`, or run this file. It needs `{stem}.pt`, `{stem}.yaml` and repro."""
from pathlib import Path
import torch
from repro.training.finished import blank

HERE = Path(__file__).resolve()
net = blank(HERE.with_suffix(".yaml"), shape={shape}, outputs={outputs}, tokens={tokens}, trusted={trusted})
net.load_state_dict(torch.load(HERE.with_suffix(".pt"), weights_only=True))
net.eval()
print(net)
'''


def main(words: Sequence[str]) -> int:
    """Run `repro export RUN --to FILE`."""
    verb = parser("export", EXAMPLES)
    verb.add_argument("run", help="a run's folder, its id, or a part of the folder's name that no other run has")
    verb.add_argument("settings", nargs="*", metavar="trusted=[PACKAGE]", help="packages that its net is built of")
    verb.add_argument("--to", type=Path, required=True, metavar="FILE.pt", help="beside it come FILE.py and FILE.yaml")
    verb.add_argument("--seed", type=int, help="of a run of several, its first by default")
    verb.add_argument("--results-dir", default="results", help="folder of the runs")
    asked = verb.parse_args(words)
    _check_name(asked.to)
    if wrong := [word for word in asked.settings if not word.startswith("trusted=")]:
        raise UserError(f"{wrong[0]}: the run is trained, and only trusted=[PACKAGE] can be set now")
    from repro.storage.files import chosen_by
    from repro.verbs.show import check_finished, find

    folder = find(asked.run, Path(asked.results_dir))
    check_finished(folder)
    with chosen_by("--to"):
        files = export(folder, asked.to, asked.seed, _trusted(asked.settings))
    print(*files, sep="\n")
    return 0


def export(folder: Path, to: Path, seed: int | None, trusted: Sequence[str]) -> list[Path]:
    """Write the net of a seed, and what loads it.

    Args:
        folder: of a finished run.
        to: where the state_dict goes.
        seed: of the run; None: its first.
        trusted: packages whose targets are allowed.

    Returns:
        The files: weights, script, settings.

    Raises:
        UserError: the run did not train or has no such seed, or the files cannot be written, or are somebody's own.
    """
    import io

    import torch

    from repro.storage.files import read_regular, write_atomic, writing
    from repro.training.finished import nets, reopened

    script_file, settings_file = to.with_suffix(".py"), to.with_suffix(".yaml")
    with writing(to):
        _refuse_others(script_file, to, settings_file)
    prepared, loop = reopened(folder, trusted=trusted)
    seeds = list(loop.seeds)
    if seed is not None and seed not in seeds:
        raise UserError(f"--seed {seed}: the run has {', '.join(map(str, seeds))}")
    net, data, task = nets(loop)[seeds.index(seed) if seed is not None else 0], prepared.data, prepared.components.task
    assert data is not None
    weights = io.BytesIO()
    torch.save({name: value.cpu().clone() for name, value in net.state_dict().items()}, weights)
    script = SCRIPT.format(
        name=folder.name,
        module=to.stem,
        stem=to.stem,
        shape=data.shape,
        outputs=task.outputs(data.outputs),
        tokens=data.tokens,
        trusted=list(trusted),
    )
    with writing(to):
        to.parent.mkdir(parents=True, exist_ok=True)
    # The script first, for it tells the next export whose files these are, should this one be cut short.
    contents: list[str | bytes] = [script, weights.getvalue(), read_regular(folder / "config.yaml")]
    for file, content in zip((script_file, to, settings_file), contents, strict=True):
        write_atomic(file, content)
    return [to, script_file, settings_file]


def _check_name(to: Path) -> None:
    """Refuse a file beside which no script can be imported, or one that would be imported in another's place."""
    if to.suffix != ".pt" or not to.stem.isidentifier() or iskeyword(to.stem):
        raise UserError(f"--to {to}: the file is to be NAME.pt, where NAME.py can be imported; take model.pt, say")
    installed = PathFinder.find_spec(to.stem, [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    if to.stem in sys.stdlib_module_names or to.stem == "repro" or installed:
        raise UserError(f"--to {to}: {to.stem}.py would hide the module {to.stem} from Python; take model.pt, say")


def _refuse_others(script: Path, *beside: Path) -> None:
    """Refuse to write over what no export has written, which is seen by how the script begins."""
    if script.is_file() and script.read_bytes().startswith(SCRIPT.partition("{")[0].encode()):
        return
    if there := [file for file in (script, *beside) if os.path.lexists(file)]:
        raise UserError(
            f"{there[0]} is there, and no export has written it; move it away, or take another name in --to"
        )


def _trusted(words: Sequence[str]) -> list[str]:
    from repro.config.compose import compose

    return list(compose(words).trusted)
