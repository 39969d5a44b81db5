"""What a checkpoint must hold beyond mmengine's state for a run to go on as if never stopped.

It lies in the checkpoint's `meta['progress']`, in plain values and tensors, which
`weights_only=True` reads.
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

Record = dict[str, Any]


@dataclass
class Position:
    """Where in the data a run is.

    Attributes:
        epoch: Of an endless stream, times that the sampler came to its end; else not used.
        batch: Batches done in this epoch.
        images: In a step of all processes, by which a changed batch size is seen; 0: unknown.
        validated: Nothing has been learnt since the last validation.
    """

    epoch: int = 0
    batch: int = 0
    images: int = 0
    validated: bool = True

    def in_steps_of(self, images: int) -> Position:
        """The same place in the data for steps of another number of images, rounded down."""
        batch = self.batch * self.images // images if self.images and images else self.batch
        return Position(self.epoch, batch, images, self.validated)


def random_state() -> Record:
    """The states of this process's random generators: Python's, numpy's, torch's and CUDA's."""
    version, words, gauss = random.getstate()
    kind, keys, at, has_gauss, cached = np.random.get_state()
    state: Record = dict(
        python=[version, list(words), gauss],
        numpy=[str(kind), np.asarray(keys).tolist(), int(at), int(has_gauss), float(cached)],
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore what `random_state` returned."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'])


def gather_progress(position: Position, model: nn.Module, optim_wrapper: Any) -> Record:
    """A run's progress, of all processes, which must call this together."""
    mine = random_state()
    return dict(
        position=asdict(position),
        random=all_gather_object(mine),
        gradients=pending_gradients(model, optim_wrapper),
    )


def my_random_state(states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """This process's state among all processes'; None if the run had another number of them."""
    return states[get_rank()] if len(states) == get_world_size() else None


def pending_gradients(model: nn.Module, optim_wrapper: Any) -> dict[str, Tensor]:
    """The gradients that wait for more steps to be accumulated, averaged over the processes.

    Averaged, since each process has its own until the last of these steps; the average of what
    they come to then stays the same.
    """
    if not _accumulates(optim_wrapper):
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
    """Put `pending_gradients` back."""
    for name, parameter in unwrap_model(model).named_parameters():
        if name in gradients:
            parameter.grad = gradients[name].to(parameter.device, copy=True)


def _accumulates(optim_wrapper: Any) -> bool:
    return isinstance(optim_wrapper, OptimWrapper) and not optim_wrapper.should_update()
