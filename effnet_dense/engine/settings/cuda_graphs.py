"""`--cuda-graphs`: replay the network from CUDA graphs in training."""

from __future__ import annotations

import torch
from mmengine.config import Config

from effnet_dense.engine.cuda_graphs import check_cuda_graphs
from effnet_dense.engine.settings.device import device_of
from effnet_dense.engine.settings.notes import refusal


def set_cuda_graphs(config: Config, on: bool) -> None:
    """Replay backbone, neck and heads from CUDA graphs.

    The runner reads the key `cuda_graphs`, see `effnet_dense.engine.cuda_graphs`.

    Args:
        config: Changed in place.
        on: False leaves the config's own choice.

    Raises:
        ValueError: The training cannot use them.
    """
    if not on:
        return
    wrapper = config.get('optim_wrapper') or {}
    try:
        check_cuda_graphs(
            torch.device(device_of(config)).type,
            accumulated=wrapper.get('accumulative_counts', 1),
            compiled=bool(config.get('compile')),
        )
    except ValueError as error:
        raise refusal('--cuda-graphs', str(error), 'leave it out') from error
    config.cuda_graphs = True
