"""The learning rate at each step of a config's training, from mmengine's own schedulers."""

from __future__ import annotations

import copy

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from torch import nn

from effnet_dense.engine.schedule_steps import in_iterations, shorten_warm_ups


def rate_curve(config: Config, epoch_length: int) -> list[float]:
    """Return the rates of a training whose epochs have so many iterations."""
    init_default_scope(config.get('default_scope') or 'mmdet')
    wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))
    optim = build_optim_wrapper(nn.Linear(1, 1), wrapper)
    loop = config.train_cfg
    by_epoch = 'max_epochs' in loop
    steps = loop.max_epochs * epoch_length if by_epoch else loop.max_iters
    nodes = in_iterations(copy.deepcopy(config.param_scheduler), epoch_length)
    if config.get('max_warm_up') is not None:
        nodes, _ = shorten_warm_ups(nodes, config.max_warm_up, steps)
    nodes = [nodes] if isinstance(nodes, dict) else nodes
    built = []
    for node in nodes:
        node = dict(node)
        if node.get('convert_to_iter_based'):
            node['epoch_length'] = epoch_length
        built.append(PARAM_SCHEDULERS.build(node, default_args=dict(optimizer=optim)))
    rates = []
    for step in range(steps):
        rates.append(float(optim.param_groups[0]['lr']))
        optim.optimizer.step()
        for scheduler in built:
            ends = by_epoch and (step + 1) % epoch_length == 0
            if ends or not scheduler.by_epoch:
                scheduler.step()
    return rates


def at(rates: list[float], share: float) -> float:
    """Return the rate after a share of the steps."""
    return rates[min(int(share * len(rates)), len(rates) - 1)]
