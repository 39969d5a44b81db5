"""What a network costs: counted exactly without memory or values, or timed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmarks.contender import OURS, Contender
from benchmarks.ready import ready
from effnet_dense.analysis.clock import interleaved
from effnet_dense.analysis.counts import gflops, parameters
from effnet_dense.analysis.memory.model import set_lean
from effnet_dense.analysis.saved import MIB, saved_bytes
from effnet_dense.analysis.scaling.networks import Network, without_memory
from effnet_dense.analysis.settings import Settings
from effnet_dense.analysis.step import Inference
from effnet_dense.lean import LEVELS

# Statistics of one picture's coarsest level would be of one value.
BATCH = 2


@dataclass(frozen=True)
class Sizes:
    """Numbers that do not depend on the machine.

    Args:
        parameters: Numbers that are trained.
        gflops: 10⁹ multiply-adds for one picture.
        saved: Lean level → MiB saved for an image's backward pass, in fp32.
    """

    parameters: int
    gflops: float
    saved: dict[int, float]


def count(network: Network, leans: Iterable[int] = LEVELS) -> Sizes:
    """Count a network's sizes on PyTorch's meta device: B7 takes no memory."""
    model = without_memory(network.make).train()
    saved = {lean: _saved(model, network.size, lean) for lean in leans}
    return Sizes(parameters(model), gflops(model, _pictures(1, network.size)), saved)


def count_gflops(network: Network) -> float:
    """The multiply-adds alone."""
    return gflops(without_memory(network.make), _pictures(1, network.size))


def count_saved(network: Network, lean: int) -> float:
    """The MiB saved per image alone, at one lean level."""
    return _saved(without_memory(network.make).train(), network.size, lean)


def milliseconds(network: Network, settings: Settings) -> float:
    """Time one picture through the deployed network, channels-last: the best of the repeats.

    Args:
        settings: Its device, threads, precision and repeats; the size is the network's own.
    """
    settings = replace(settings, size=network.size)
    contender = Contender(OURS, network.name, network.make, '', channels_last=True, mode='deployed')
    model = contender.build(settings)
    deployed = ready(contender, model, settings.images(BATCH, channels_last=True))
    task = Inference(deployed, settings.images(1, channels_last=True), settings)
    (times,) = interleaved([task], settings.repeats, settings.on_cuda)
    return 1000 * min(times)


def _saved(model: nn.Module, size: int, lean: int) -> float:
    set_lean(model, lean)
    return saved_bytes(model, _pictures(BATCH, size)).bytes / BATCH / MIB


def _pictures(count: int, size: int) -> Tensor:
    return torch.empty(count, 3, size, size, device='meta')
