"""A model as the loop sees it: one interface, implemented for a single model and for stacked replicas."""

import copy
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import grad, stack_module_state, vmap

from repro.datasets.protocol import Batch
from repro.diagnostics.probe import Layer, Traces, exactly, layers_of, one_pass, passages_of, shapes_of, trace
from repro.errors import UserError
from repro.model.activations.noise import NoiseSource, attach_noise
from repro.model.architectures.recurrence import State, call_functional, initial_state, is_recurrent, unfuse
from repro.model.trees import Tree, leaves
from repro.seeds import generator
from repro.tasks import Place, Task
from repro.training.captured import TensorFunction, record, recordable
from repro.training.forward import PLAIN, Execution, forward

# Batches of one shape before the step is recorded: recording takes as long as it saves in about so many.
WARM_UP = 100

Scores = dict[str, Tensor]


class Learner(Protocol):
    """One or several replicas of a network, of the same shape, each from its own seed.

    Attributes:
        seeds: one a replica.
        stacked: whether parameters and buffers carry a leading replica axis.
        parameters: what is trained.
        buffers: what is kept besides (running statistics).
        weights: the parameters that penalties apply to: weights of linear and convolutional layers.
        noise: the source of all randomness during training.
        layers: the layers that are measured.
        task: loss and metrics.
        carried: the state of a recurrent net after the last training batch, each (replicas, ...).
        module: the net; the first of several.
    """

    seeds: Sequence[int]
    stacked: bool
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    weights: dict[str, Tensor]
    noise: NoiseSource
    layers: list[Layer]
    task: Task
    carried: State
    module: nn.Module

    def gradients(self, batch: Batch) -> Scores:
        """Give every parameter the gradient of its replica's loss, in training mode.

        Returns:
            Loss and metrics, each (replicas,).

        Args:
            batch: with a leading replica axis.
        """

    def evaluate(self, batch: Batch, state: State = ()) -> tuple[Scores, State]:
        """The task's sums in evaluation mode, each (replicas, ...), of one batch that all replicas share.

        Args:
            batch: without a replica axis.
            state: of a recurrent net after the batch before; empty = its initial state.

        Returns:
            The sums, and the state after this batch.
        """

    def predict(self, x: Tree) -> Tensor:
        """What the task reads from the outputs, in evaluation mode, (replicas, samples), of a batch shared by all."""

    def texts(self, batch: Batch) -> list[list[tuple[str, str]]]:
        """The task's texts of a batch shared by all, in evaluation mode, a list for each replica."""

    def attention(self, batch: Batch) -> Iterator[tuple[list[Place], list[str], Tensor]]:
        """Of a batch, in evaluation mode, what `repro.tasks.Task.attention` gives."""

    def set_noise(self, c: float) -> None:
        """Set the scale of every noisy unit's noise."""

    def exactly(self) -> AbstractContextManager[None]:
        """Within it a probe finds the gradients of exact back-propagation, whatever the backward rule."""

    def probe(self, x: Tree, y: Tree) -> Traces:
        """Activations and gradients in training mode, on a batch that all replicas share.

        Draws from generators of its own and works on copies of the buffers: training goes on as if nothing had been.
        """


def learner(
    modules: list[nn.Module],
    seeds: Sequence[int],
    task: Task,
    device: torch.device,
    how: Execution = PLAIN,
    order: Sequence[str] | None = None,
) -> Learner:
    """The learner for these modules, one a seed, which must be alike in everything but their values.

    Args:
        modules: on any device.
        seeds: of each.
        task: loss and metrics.
        device: where they are to be.
        how: in which arithmetic and layout.
        order: of their layers, from `repro.diagnostics.probe.call_order`; None = as the net holds them.

    Raises:
        UserError: the net cannot be run this way; only a single one can be run in any other than the plain one.
    """
    noise = NoiseSource([generator(seed, "noise", device=device) for seed in seeds])
    for module in modules:
        module.to(device)
        if how.precision == "float64":
            module.double()
    attach_noise(modules[0], noise)
    if len(modules) == 1:
        return Single(modules, seeds, task, noise, how, order)
    return Stacked(modules, seeds, task, noise, order)


def values_of(learner: Learner, replica: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and buffers of one replica, without the replica axis, detached: views of the learner's own."""
    parameters, buffers = (
        {k: v.detach()[replica] if learner.stacked else v.detach() for k, v in values.items()}
        for values in (learner.parameters, learner.buffers)
    )
    return parameters, buffers


def net_of(learner: Learner, replica: int) -> nn.Module:
    """A copy of one replica's net, by itself, in the mode and on the device that the learner's is in."""
    net = copy.deepcopy(learner.module)
    parameters, buffers = values_of(learner, replica)
    with torch.no_grad():  # by hand, as `load_state_dict` knows nothing of buffers that are not saved
        for name, own in (*net.named_parameters(), *net.named_buffers()):
            own.copy_({**parameters, **buffers}[name])
    return net


class _Net:
    """What a learner does with its net, whatever the number of replicas."""

    module: nn.Module

    def exactly(self) -> AbstractContextManager[None]:
        """See `Learner`."""
        return exactly(self.module)

    def set_noise(self, c: float) -> None:
        """See `Learner`."""
        units = [m for m in self.module.modules() if hasattr(m, "noise") and hasattr(m, "c")]
        if not units:
            raise UserError(
                "annealing sets activation.c, and this net has no unit with one; "
                "take activation=noisy_tanh with noise nan, nah or nanil, or annealing=null"
            )
        for unit in units:
            unit.c = c  # type: ignore[assignment]


@contextmanager
def _for_evaluation(module: nn.Module) -> Iterator[None]:
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train()


@contextmanager
def _own_noise(noise: NoiseSource, seeds: Sequence[int]) -> Iterator[None]:
    """Draw from the same fresh generators at every probe, so that two probes differ by the weights alone."""
    kept = noise.generators
    noise.generators = [generator(seed, "noise", 1, device=kept[0].device) for seed in seeds]
    try:
        yield
    finally:
        noise.generators = kept


def _weights(layers: list[Layer], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {layer.weight: parameters[layer.weight] for layer in layers if layer.weight is not None}


class Single(_Net):
    """A learner of one network."""

    stacked = False

    def __init__(
        self,
        modules: list[nn.Module],
        seeds: Sequence[int],
        task: Task,
        noise: NoiseSource,
        how: Execution = PLAIN,
        order: Sequence[str] | None = None,
    ) -> None:
        (self.module,) = modules
        self.module.train()
        self.call = forward(self.module, how)
        self.seeds, self.task, self.noise = seeds, task, noise
        self.parameters: dict[str, Tensor] = dict(self.module.named_parameters())
        self.buffers: dict[str, Tensor] = dict(self.module.named_buffers())
        self.layers = layers_of(self.module, order)
        self.weights, self.passages = _weights(self.layers, self.parameters), passages_of(self.layers)
        self.shapes: dict[str, torch.Size] | None = None
        self.carried: State = ()

    def gradients(self, batch: Batch) -> Scores:
        """See `Learner`."""
        for parameter in self.parameters.values():
            parameter.grad = None
        own = batch.part(0)
        output, state = self.call(own.x, () if batch.fresh else tuple(v[0] for v in self.carried))
        scores = self.task.measure(output, own.y)
        torch.autograd.backward(self.task.objective(scores, own.y))
        self.carried = tuple(v.detach().unsqueeze(0) for v in state)
        return {k: v.detach().unsqueeze(0) for k, v in scores.items()}

    def evaluate(self, batch: Batch, state: State = ()) -> tuple[Scores, State]:
        """See `Learner`."""
        with _for_evaluation(self.module):
            sums, state = self.task.evaluate(self.call, batch, state)
            return {k: v.unsqueeze(0) for k, v in sums.items()}, state

    def predict(self, x: Tree) -> Tensor:
        """See `Learner`."""
        with _for_evaluation(self.module):
            return self.task.read(self.call(x, ())[0]).unsqueeze(0)

    def texts(self, batch: Batch) -> list[list[tuple[str, str]]]:
        """See `Learner`."""
        with _for_evaluation(self.module):
            return [self.task.texts(self.call, batch)]

    def attention(self, batch: Batch) -> Iterator[tuple[list[Place], list[str], Tensor]]:
        """See `Learner`."""
        with _for_evaluation(self.module):
            return iter([*self.task.attention(self.call, batch)])

    def probe(self, x: Tree, y: Tree) -> Traces:
        """See `Learner`."""
        if self.shapes is None:
            with _own_noise(self.noise, self.seeds):
                self.shapes = shapes_of(self.module, self.passages, self.parameters, copy.deepcopy(self.buffers), x)
        run = one_pass(self.module, self.passages, self.task, x, y, mapped=False)
        with _own_noise(self.noise, self.seeds):
            traces = trace(run, self.shapes, self.parameters, copy.deepcopy(self.buffers), self.weights, self.passages)
        return Traces(*({k: v.unsqueeze(0) for k, v in part.items()} for part in vars(traces).values()))


class Stacked(_Net):
    """A learner of several networks at once: parameters stacked, the first module mapped over them.

    Gradients come from recorded operations where that is sound, and from autograd otherwise.
    """

    stacked = True

    def __init__(
        self,
        modules: list[nn.Module],
        seeds: Sequence[int],
        task: Task,
        noise: NoiseSource,
        order: Sequence[str] | None = None,
    ) -> None:
        self.module = modules[0].train()
        self.seeds, self.task, self.noise = seeds, task, noise
        parameters, buffers = stack_module_state(modules)
        self.parameters: dict[str, Tensor] = parameters
        self.buffers: dict[str, Tensor] = buffers
        self.layers = layers_of(self.module, order)
        self.weights, self.passages = _weights(self.layers, self.parameters), passages_of(self.layers)
        self.shapes: dict[str, torch.Size] | None = None
        self.carried: State = ()
        unfuse(self.module)  # code with derivatives of its own knows nothing of torch.func's transforms
        self.recordable = not is_recurrent(self.module) and recordable(self.module, task)
        self.seen: Counter[Hashable] = Counter()
        self.recorded: dict[Hashable, TensorFunction] = {}
        self.names: list[str] = []  # of the scores
        self._own = vmap(self._one, in_dims=(0, 0, 0, 0, 0), randomness="error")
        self._differentiated = vmap(grad(self._loss, has_aux=True), randomness="error")

    def _one(self, parameters: Scores, buffers: Scores, x: Tree, y: Tree, state: State) -> tuple[Tensor, Scores, State]:
        output, state = call_functional(self.module, (parameters, buffers), x, state)
        scores = self.task.measure(output, y)
        return self.task.objective(scores, y), scores, state

    def _loss(self, parameters: Scores, buffers: Scores, x: Tree, y: Tree) -> tuple[Tensor, Scores]:
        objective, scores, _ = self._one(parameters, buffers, x, y, ())
        return objective, scores

    def _state(self, batch: int, state: State) -> State:
        """The state to start from, with a replica axis."""
        fresh = () if state else initial_state(self.module, batch)
        return state or tuple(v.expand(len(self.seeds), *v.shape) for v in fresh)

    def gradients(self, batch: Batch) -> Scores:
        """See `Learner`."""
        x, y = batch.x, batch.y
        for parameter in self.parameters.values():
            parameter.grad = None  # first, so that the new ones find the same place, which is still in the cache
        if not (self.recordable and isinstance(x, Tensor) and isinstance(y, Tensor)):
            return self._by_autograd(x, y, self._state(leaves(x)[0].shape[1], () if batch.fresh else self.carried))
        inputs = (*self.parameters.values(), *self.buffers.values(), x, y)
        with torch.no_grad():
            results = self._function(inputs)(*inputs)
        gradients, scores = results[: len(self.parameters)], results[len(self.parameters) :]
        if len({gradient.data_ptr() for gradient in gradients}) < len(gradients):
            gradients = tuple(gradient.clone() for gradient in gradients)  # penalties and clipping work in place
        for parameter, gradient in zip(self.parameters.values(), gradients, strict=True):
            parameter.grad = gradient.contiguous()  # as fused optimizers need it
        return dict(zip(self.names, scores, strict=True))

    def _by_autograd(self, x: Tree, y: Tree, state: State) -> Scores:
        objective, scores, state = self._own(self.parameters, self.buffers, x, y, state)
        torch.autograd.backward(objective.sum())
        self.carried = tuple(v.detach() for v in state)
        return {k: v.detach() for k, v in scores.items()}

    def _function(self, inputs: tuple[Tensor, ...]) -> TensorFunction:
        """`_flat`, or its record once enough batches of this shape have come by."""
        kind = tuple((v.shape, v.stride(), v.dtype) for v in inputs[-2:])
        if kind in self.recorded:
            return self.recorded[kind]
        self.seen[kind] += 1
        if self.seen[kind] <= WARM_UP:
            return self._flat
        kept = len(self.parameters), len(inputs) - 2
        copies = [v.clone() for v in inputs[slice(*kept)]]  # recording runs the step, which moves running statistics
        self.recorded[kind] = record(self._flat, [*inputs[: kept[0]], *copies, *inputs[-2:]])
        return self.recorded[kind]

    def _flat(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Gradients and scores of parameters, buffers, inputs and targets, as plain sequences."""
        names, kept = list(self.parameters), list(self.buffers)
        parameters, rest = tensors[: len(names)], tensors[len(names) :]
        gradients, scores = self._differentiated(
            dict(zip(names, parameters, strict=True)), dict(zip(kept, rest[:-2], strict=True)), *rest[-2:]
        )
        self.names = list(scores)
        return (*gradients.values(), *scores.values())

    def evaluate(self, batch: Batch, state: State = ()) -> tuple[Scores, State]:
        """See `Learner`."""

        def one(parameters: Scores, buffers: Scores, state: State) -> tuple[Scores, State]:
            return self.task.evaluate(partial(call_functional, self.module, (parameters, buffers)), batch, state)

        with _for_evaluation(self.module):
            return vmap(one, randomness="error")(self.parameters, self.buffers, self._state(len(batch), state))

    def predict(self, x: Tree) -> Tensor:
        """See `Learner`."""
        with _for_evaluation(self.module):
            outputs = vmap(lambda p, b: call_functional(self.module, (p, b), x)[0])(self.parameters, self.buffers)
            return self.task.read(outputs)

    def texts(self, batch: Batch) -> list[list[tuple[str, str]]]:
        """See `Learner`; one replica after the other, since decoding goes by what has been said."""
        with _for_evaluation(self.module):
            return [
                self.task.texts(partial(call_functional, self.module, values_of(self, i)), batch)
                for i in range(len(self.seeds))
            ]

    def attention(self, batch: Batch) -> Iterator[tuple[list[Place], list[str], Tensor]]:
        """See `Learner`; nets that look at pairs of sentences are never stacked."""
        raise NotImplementedError

    def probe(self, x: Tree, y: Tree) -> Traces:
        """See `Learner`."""
        if self.shapes is None:
            parameters, buffers = values_of(self, 0)
            own = {k: v.clone() for k, v in buffers.items()}  # a pass in training mode moves running statistics
            with _own_noise(self.noise, self.seeds[:1]):
                shapes = shapes_of(self.module, self.passages, parameters, own, x)
            self.shapes = {k: torch.Size((len(self.seeds), *shape)) for k, shape in shapes.items()}
        run = vmap(one_pass(self.module, self.passages, self.task, x, y, mapped=True), randomness="error")
        with _own_noise(self.noise, self.seeds):
            return trace(run, self.shapes, self.parameters, copy.deepcopy(self.buffers), self.weights, self.passages)
