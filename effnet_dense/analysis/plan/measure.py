"""Measure on this machine: a training step on random images, one image at inference, loading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DATASETS, init_default_scope
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.analysis.counts import count_gflops, count_parameters
from effnet_dense.analysis.memory.batch import disable_resizing, make_training_batch
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.memory.peak import without_logs
from effnet_dense.analysis.plan.recipes import Size
from effnet_dense.analysis.saved_memory import measure_saved_memory
from effnet_dense.analysis.scaling.networks import DenseNetwork, build_dense_network
from effnet_dense.deployment import deploy

STEPS = 3
IMAGES = 8
PASSES = 5
COUNTED = (256, 256)
"""Height and width at which networks are counted; all counts are proportional to the pixels."""


class Counts:
    """What a network costs for each image of `COUNTED`, whatever the machine.

    Attributes:
        parameters: Elements of all parameters.
        gflops: 10⁹ multiply-adds.
        saved: Bytes that are saved for the backward pass.
    """

    def __init__(self, config: Config) -> None:
        with without_logs():
            model = build_model(config).to('meta')
        self.parameters = count_parameters(model)
        network = DenseNetwork(model)
        images = torch.empty(1, 3, *COUNTED, device='meta')
        self.gflops = count_gflops(network, images)
        self.saved = measure_saved_memory(network.train(), images.expand(2, -1, -1, -1)).bytes / 2


def training_step_seconds(
    config: Config, batch: int, size: Size, objects: int, device: str, steps: int = STEPS
) -> float:
    """Time training steps on random images with random weights; the first one is not counted.

    Args:
        config: Of the model and its optimizer; its image size does not matter.
        batch: Images per step.
        size: Of the images.
        objects: In each image, for detectors.
        device: 'cpu' or 'cuda'.
        steps: Number of steps that are timed.

    Returns:
        The median, in seconds.
    """
    with without_logs():
        model: Any = build_model(config)
        disable_resizing(model, size.crop)
        model.to(device)
        wrapper = build_optim_wrapper(model, config.optim_wrapper)
    data = make_training_batch(model, batch, size.crop, objects)
    data['inputs'] = [torch.randint_like(image, 256) for image in data['inputs']]
    _set_statistics(model.backbone, torch.stack(data['inputs']).float() / 127.5 - 1)
    times = [_timed(lambda: _step(model, data, wrapper), device) for _ in range(steps + 1)]
    return median(times[1:])


def _step(model: Any, data: dict[str, Any], wrapper: OptimWrapper) -> None:
    # The step changes the samples, for example by moving them.
    samples = [sample.clone() for sample in data['data_samples']]
    model.train_step(dict(inputs=list(data['inputs']), data_samples=samples), wrapper)


def inference_seconds(config: Config, size: Size, device: str, passes: int = PASSES) -> float:
    """Time one image through the deployed network, from the image to its dense predictions.

    Post-processing is not included: with random weights it would be another one.

    Args:
        config: Of the model.
        size: Of the image.
        device: 'cpu' or 'cuda'.
        passes: Number of passes that are timed; one before them is not.

    Returns:
        The smallest time, in seconds.
    """
    with without_logs():
        network = build_dense_network(config).to(device)
    height, width = size.crop if not size.own else size.scale[::-1]
    image = torch.randn(1, 3, height, width, device=device)
    with torch.no_grad():
        _set_statistics(network, image.expand(2, -1, -1, -1))
        deployed = deploy(network.eval())
        times = [_timed(lambda: deployed(image), device) for _ in range(passes + 1)]
    return min(times[1:])


def loading_seconds(config: Config, images: int = IMAGES) -> float:
    """Time the training pipeline for one image, in this process.

    Args:
        config: With its data.
        images: Number of images that are timed; one before them is not.

    Returns:
        The mean, in seconds.
    """
    init_default_scope(config.default_scope)
    with without_logs():
        dataset = DATASETS.build(config.train_dataloader.dataset)
    chosen = [i * len(dataset) // (images + 1) for i in range(images + 1)]
    dataset[chosen[0]]
    return _timed(lambda: [dataset[i] for i in chosen[1:]], 'cpu') / images


def _set_statistics(module: nn.Module, images: Tensor) -> None:
    """Set the running statistics of batch norms: with random weights activations overflow."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    with torch.no_grad(), _momentum_one(norms):
        module(images)


@contextmanager
def _momentum_one(norms: list[Any]) -> Iterator[None]:
    before = [(norm.momentum, norm.training) for norm in norms]
    for norm in norms:
        norm.momentum, norm.training = 1.0, True
    try:
        yield
    finally:
        for norm, (momentum, training) in zip(norms, before, strict=True):
            norm.momentum, norm.training = momentum, training


def _timed(task: Callable[[], object], device: str) -> float:
    begin = time.perf_counter()
    task()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - begin
