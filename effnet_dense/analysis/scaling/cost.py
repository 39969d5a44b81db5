"""Measure a network's cost: counted on the meta device, or timed on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from effnet_dense.analysis.counts import count_gflops, count_parameters
from effnet_dense.analysis.latency import (
    InferencePass,
    build_network,
    calibrate_norms,
    time_interleaved,
)
from effnet_dense.analysis.memory.model import set_lean
from effnet_dense.analysis.saved_memory import MIB, measure_saved_memory
from effnet_dense.analysis.scaling.networks import Network, build_on_meta
from effnet_dense.analysis.settings import Settings
from effnet_dense.deployment import deploy
from effnet_dense.lean import LEVELS

BATCH = 2
"""Images for statistics: with one image, the coarsest level's would come from one value."""


@dataclass(frozen=True)
class Cost:
    """Counts that do not depend on the machine.

    Args:
        parameters: Elements of all parameters.
        gflops: 10⁹ multiply-adds for one image.
        saved: Lean level → MiB saved for an image's backward pass, in fp32.
    """

    parameters: int
    gflops: float
    saved: dict[int, float]


def network_cost(network: Network, lean_levels: Iterable[int] = LEVELS) -> Cost:
    """Count a network's cost on PyTorch's meta device, which takes no memory."""
    model = build_on_meta(network.make).train()
    saved = {lean: _saved_mib(model, network.size, lean) for lean in lean_levels}
    gflops = count_gflops(model, _meta_images(1, network.size))
    return Cost(count_parameters(model), gflops, saved)


def network_gflops(network: Network) -> float:
    """Count only the multiply-adds for one image, in 10⁹."""
    return count_gflops(build_on_meta(network.make), _meta_images(1, network.size))


def network_saved_mib(network: Network, lean: int) -> float:
    """Count only the MiB saved per image, at one lean level."""
    return _saved_mib(build_on_meta(network.make).train(), network.size, lean)


def network_latency(network: Network, settings: Settings) -> float:
    """Time one image through the deployed network, channels-last, in ms: the best of the repeats.

    Args:
        network: Its own image size is used.
        settings: Defines device, threads, precision and repeats.
    """
    settings = replace(settings, size=network.size)
    model = build_network(network.make, settings, channels_last=True)
    calibrate_norms(model, settings.images(BATCH, channels_last=True))
    deployed = deploy(model.eval())
    task = InferencePass(deployed, settings.images(1, channels_last=True), settings)
    (times,) = time_interleaved([task], settings.repeats, settings.on_cuda)
    return 1000 * min(times)


def _saved_mib(model: nn.Module, size: int, lean: int) -> float:
    set_lean(model, lean)
    return measure_saved_memory(model, _meta_images(BATCH, size)).bytes / BATCH / MIB


def _meta_images(count: int, size: int) -> Tensor:
    return torch.empty(count, 3, size, size, device='meta')
