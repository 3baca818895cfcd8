"""What a run needs, said before anything is allocated: it is refused where it surely cannot fit into memory.

Everything here is a lower bound: what is not known counts for nothing, so that nothing is refused that might fit.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from repro.bars import say
from repro.config.run import Run
from repro.diagnostics.schedule import most_measured
from repro.errors import UserError
from repro.memory import greatest, machine, said
from repro.model.architectures.recurrence import initial_state, is_recurrent
from repro.model.trees import Tree, leaves, mapped, samples
from repro.training.nets import architecture

GENERATOR = 5056  # bytes that torch keeps of a generator's state
ROW = 100  # bytes that a row of a table takes in memory at least
STEP = 32  # bytes of a number in a set
DEEP = 200  # layers from which on the others are not built to be counted
SMALL, SMALL_INPUTS = 1 << 20, 1 << 16  # weights of a net, and numbers put in, that fit anywhere
LEAST = (1, 2, 3, 4, 8)  # what a setting may be at least
WORDS = 8  # bytes of a number, at least, where a setting says how many are drawn


class UncountableError(Exception):
    """More than can be counted."""


def check_settings(run: Run) -> None:
    """Refuse what cannot fit whatever the data are: replicas, bins, measurements, samples to be drawn.

    Raises:
        UserError: names the setting, what it needs, what there is and what would fit.
    """
    limit, settings = machine(), run.settings
    each = 2 * GENERATOR  # a net of one replica draws its noise and its order
    _refuse_above("replicas", settings["replicas"], each, limit)
    for key, value in (settings["dataset"] or {}).items():
        if key.endswith("_size") and isinstance(value, int):
            _refuse_above(f"dataset.{key}", value, WORDS, limit)
    if settings["diagnostics"] is None or settings["trainer"] is None:
        return
    diagnostics, trainer = run.diagnostics, run.trainer
    if diagnostics.quantities:
        _refuse_above("diagnostics.histogram", diagnostics.histogram, ROW * settings["replicas"], limit)
    total = trainer.epochs if trainer.steps is None else trainer.steps  # an epoch has one step or more
    times = most_measured(total, diagnostics.every, diagnostics.log_spaced, diagnostics.steps)
    if times * STEP > limit:
        name = "log_spaced" if diagnostics.every is None else "every"
        raise UserError(
            f"diagnostics.{name}={getattr(diagnostics, name)} measures {times:,} times, which needs "
            f"{said(times * STEP)} of memory only to know when, and this machine has {said(limit)}; measure less often"
        )


def _refuse_above(name: str, value: int, each: float, limit: float) -> None:
    if value * each > limit:
        most = greatest(1, value, lambda n: n * each <= limit)
        raise UserError(
            f"{name}={value} needs {said(value * each)} of memory or more, and this machine has {said(limit)}; "
            f"{name}={most or 1} could fit"
        )


def check_net(run: Run, parts: Any, data: Any, x: Tree, device: torch.device) -> None:
    """Refuse a net that cannot fit, with its gradients, the optimizer's state and one batch of its values.

    Args:
        parts: the run's components.
        data: the data set.
        x: two inputs, to be looked at only.

    Raises:
        UserError: names the setting, what it needs, what there is and what would fit.
    """
    limit = machine()
    where = "this machine"
    if device.type == "cuda":
        limit, where = float(torch.cuda.get_device_properties(device).total_memory), str(device)
    estimate = MemoryEstimate(run, parts, data, x)
    if (needed := estimate({})) <= limit:
        if needed > limit / 4:
            say(f"repro: this needs {said(needed)} of memory or more ({estimate.says}), of {said(limit)}")
        return
    settings = run.settings
    sizes = {f"architecture.{k}": v for k, v in settings["architecture"].items() if type(v) is int and v > 1}
    sizes |= {"replicas": settings["replicas"], "trainer.batch_size": settings["trainer"]["batch_size"] or 0}
    ways = []
    for name, value in sizes.items():
        fits = _fitting(estimate, name, limit)
        least = next((n for n in LEAST if n < value and fits(n)), None)
        if least is not None:
            ways.append(f"{name}={greatest(least, value, fits)}")
    given = ", ".join(f"{k}={v}" for k, v in sizes.items() if v > 1)
    raise UserError(
        f"{given} needs {said(needed)} of memory or more ({estimate.says}), and {where} has {said(limit)}; "
        + (f"{' or '.join(ways)} could fit" if ways else "take a smaller architecture and fewer replicas")
    )


def _fitting(estimate: "MemoryEstimate", name: str, limit: float) -> Callable[[int], bool]:
    def fits(value: int) -> bool:
        try:
            return estimate({name: value}) <= limit
        except UserError:  # the architecture takes no such value
            return False

    return fits


class MemoryEstimate:
    """Bytes that a run's nets need at least, with some of its settings changed.

    Attributes:
        says: where the memory of the first estimate goes, in words.
    """

    def __init__(self, run: Run, parts: Any, data: Any, x: Tree) -> None:
        self._run, self._parts, self._data = run, parts, data
        self._x = x
        self._states = _states(parts.optimizer)
        self._width = 8 if run.trainer.precision == "float64" else 4
        self._known: dict[str, tuple[int, int]] = {}
        self.says = ""

    def __call__(self, changes: Mapping[str, int]) -> float:
        """The estimate for the run with other values of some settings, by their full names."""
        settings = self._run.settings
        node = copy.copy(settings["architecture"])
        node |= {k.partition(".")[2]: v for k, v in changes.items() if k.startswith("architecture.")}
        replicas = changes.get("replicas", settings["replicas"])
        batch = changes.get("trainer.batch_size", settings["trainer"]["batch_size"])
        known = [n for n in [(self._data.sizes or {}).get("train")] if n is not None]
        batch = min([*([batch] if batch is not None else []), *known], default=1)
        try:
            parameters, activations = self._counted(node, batch)
        except UncountableError:
            self.says = self.says or "its weights alone"
            return float("inf")
        # Weights, gradients and what the optimizer keeps; or at first, each net by itself and all of them stacked.
        copies = 2 + self._states
        self.says = self.says or (
            f"{parameters:,} parameters{f' × {replicas} replicas' if replicas > 1 else ''} with gradients and the "
            f"optimizer's state {said(parameters * replicas * copies * self._width)}, a batch "
            f"{said(activations * replicas * self._width)}"
        )
        return float(replicas * (parameters * copies + activations) * self._width)

    def _counted(self, node: Mapping[str, Any], batch: int) -> tuple[int, int]:
        """Parameters of one net, and the values of one batch that its layers keep for the gradients."""
        depth = node.get("depth")
        if not (type(depth) is int and depth > DEEP):
            return self._measured(node, batch)
        # Every further layer is as large as the one before.
        few, more = (self._measured({**node, "depth": n}, batch) for n in (DEEP // 2, DEEP))
        p, a = (m + (m - f) * (depth - DEEP) // (DEEP - DEEP // 2) for f, m in zip(few, more, strict=True))
        return p, a

    def _measured(self, node: Mapping[str, Any], batch: int) -> tuple[int, int]:
        if (key := repr(node)) not in self._known:
            net = self._built(node)
            parameters = sum(p.numel() for p in net.parameters())
            self._known[key] = parameters, self._state(net) if is_recurrent(net) else self._outputs(net)
        parameters, values = self._known[key]
        return parameters, values * batch

    def _built(self, node: Mapping[str, Any]) -> nn.Module:
        factory, data = self._parts.layer_factory, self._data
        outputs = self._parts.task.outputs(data.outputs)
        try:
            with torch.device("meta"):
                return architecture(node, self._run.settings["trusted"], factory, data.shape, outputs, data.tokens)
        except (RuntimeError, OverflowError, UserError) as error:
            if any(word in str(error) for word in ("overflow", "too large", "Overflow", "exceed")):
                raise UncountableError from error
            raise
        finally:
            factory.asked_for.clear()

    def _state(self, net: nn.Module) -> int:
        """What a recurrent net makes anew in every step of time, of one sample."""
        steps = next((int(v.shape[1]) for v in leaves(self._x) if v.dim() > 1), 1)
        with torch.device("meta"):
            return steps * sum(v.numel() for v in {id(v): v for v in initial_state(net, 1)}.values())

    def _outputs(self, net: nn.Module) -> int:
        """What the layers with weights put out, of one sample."""
        made: list[int] = []

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            made.extend([output.numel()] if isinstance(output, Tensor) else [])

        hooks = [m.register_forward_hook(note) for m in _weighted(net)]
        weights, inputs = (sum(v.numel() for v in values) for values in (net.parameters(), leaves(self._x)))
        small = weights <= SMALL and inputs <= SMALL_INPUTS  # walked with values: torch's way without is slow to import
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                (_zeroed(net) if small else net).eval()(mapped(lambda v: v.to("cpu" if small else "meta"), self._x))
        except Exception:  # a net that cannot be walked without values
            return 0
        finally:
            for hook in hooks:
                hook.remove()
        return sum(made) // samples(self._x)


def _zeroed(net: nn.Module) -> nn.Module:
    """A net without memory as one of zeros."""
    # `to_empty` would import as much as a walk without values.
    change: Any = net._apply
    change(lambda v: torch.zeros(v.shape, dtype=v.dtype))
    return net


def _weighted(net: nn.Module) -> Iterator[nn.Module]:
    return (m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d))


def _states(optimizer: Any) -> int:
    """Numbers that an optimizer keeps for each parameter, once it has made a step."""
    one = nn.Parameter(torch.zeros(8))
    one.grad = torch.zeros(8)
    try:
        made: torch.optim.Optimizer = optimizer([one])
        made.step()
    except (TypeError, RuntimeError):  # one that asks for the loss
        return 0
    return sum(v.numel() for v in made.state[one].values() if isinstance(v, Tensor)) // 8
