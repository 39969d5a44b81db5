"""Save and restore a run's progress: position in the data, random states, pending gradients.

mmengine's checkpoints lack these; they are stored in `meta['progress']`, as plain values and
tensors that `weights_only=True` reads. With them a resumed run is bit-identical to an uninterrupted
one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from effnet_dense.utils.wrappers import unwrap_model

State = dict[str, Any]


@dataclass
class Position:
    """A run's position in the data.

    Attributes:
        epoch: Completed passes over the data, in loops over iterations; else unused.
        batch: Completed batches of this epoch.
        images: Images per iteration of all processes, to detect a changed batch size; 0 if
            unknown.
        validated: There was no training step since the last validation.
    """

    epoch: int = 0
    batch: int = 0
    images: int = 0
    validated: bool = True

    def with_images(self, images: int) -> Position:
        """Return the same position for another number of images per iteration, rounded down."""
        batch = self.batch * self.images // images if self.images and images else self.batch
        return Position(self.epoch, batch, images, self.validated)


def random_state() -> State:
    """Return the states of this process's random generators: Python, numpy, torch and CUDA."""
    version, words, gauss = random.getstate()
    kind, keys, at, has_gauss, cached = np.random.get_state()
    state: State = dict(
        python=[version, list(words), gauss],
        numpy=[str(kind), np.asarray(keys).tolist(), int(at), int(has_gauss), float(cached)],
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore the states that `random_state` returned."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'])


def gather_progress(position: Position, model: nn.Module, optim_wrapper: Any) -> State:
    """Collect the progress of all processes, which must call this together."""
    own = random_state()
    return dict(
        position=asdict(position),
        random=all_gather_object(own),
        gradients=pending_gradients(model, optim_wrapper),
    )


def own_random_state(states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Select this process's state; None if the run had another number of processes."""
    return states[get_rank()] if len(states) == get_world_size() else None


def pending_gradients(model: nn.Module, optim_wrapper: Any) -> dict[str, Tensor]:
    """Return accumulated gradients that wait for the optimizer's step, averaged over processes.

    Each process has its own until the last accumulated batch, at which DDP averages them; averaging
    them earlier gives the same mean.
    """
    if not _accumulating(optim_wrapper):
        return {}
    gradients = {
        name: parameter.grad.detach().cpu().clone()
        for name, parameter in unwrap_model(model).named_parameters()
        if parameter.grad is not None
    }
    if get_world_size() > 1:
        for gradient in gradients.values():
            all_reduce(gradient, op='mean')
    return gradients


def restore_gradients(model: nn.Module, gradients: Mapping[str, Tensor]) -> None:
    """Restore the gradients that `pending_gradients` returned."""
    for name, parameter in unwrap_model(model).named_parameters():
        if name in gradients:
            parameter.grad = gradients[name].to(parameter.device, copy=True)


def _accumulating(optim_wrapper: Any) -> bool:
    return isinstance(optim_wrapper, OptimWrapper) and not optim_wrapper.should_update()
