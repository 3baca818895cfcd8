"""Optimizers without torch's compiler, which they import only to keep it out: the same weights, bit for bit."""

import subprocess
import sys

PROGRAM = """\
import sys
import torch
from repro.training.process import leave_compiler_out

names = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta")
KINDS = [getattr(torch.optim, name) for name in names]


def trained(kind):
    rng = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(5, 3, generator=rng))
    optimizer = kind([weight], lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        (torch.randn(7, 5, generator=rng) @ weight).tanh().square().sum().backward()
        optimizer.step()
        assert torch.is_grad_enabled()
        kept = optimizer.state_dict()
        optimizer.load_state_dict(kept)
    return weight.detach()


leave_compiler_out()
without = [trained(kind) for kind in KINDS]
assert "torch._dynamo" not in sys.modules
import torch._dynamo

stops = []
graph_break = torch._dynamo.graph_break
torch._dynamo.graph_break = lambda: stops.append(None) or graph_break()
assert all(map(torch.equal, without, map(trained, KINDS)))
assert len(stops) == 2 * 4 * len(KINDS), "who compiles has its graphs broken as before"
"""


def test_optimizers_do_the_same_without_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
