"""What a net takes and what it is to give: one tensor, or tuples, lists and dicts of such, a tree of tensors.

Inputs, targets and single samples of them are trees. Along the first axis of every tensor lie the samples.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map  # of torch.func; it has no public name before torch 2.8

Tree = Any
"""A tensor, or a tuple, list or dict of trees."""


def mapped(function: Callable[[Tensor], Any], tree: Tree) -> Tree:
    """The tree of what a function makes of each tensor."""
    return function(tree) if isinstance(tree, Tensor) else tree_map(function, tree)


def leaves(tree: Tree) -> list[Tensor]:
    """The tensors of a tree, in order."""
    return [tree] if isinstance(tree, Tensor) else tree_leaves(tree)


def samples(tree: Tree) -> int:
    """How many samples there are."""
    return len(leaves(tree)[0])


def joined(trees: Sequence[Tree]) -> Tree:
    """One tree of the samples of several that are alike, one or more of them."""
    return tree_map(lambda *parts: torch.cat(parts), *trees)
