"""List the parts of a config that a runner builds: key, arguments and the class they are for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmengine import registry as registries
from mmengine.evaluator import Evaluator
from mmengine.registry import Registry
from mmengine.runner import LogProcessor, TestLoop, ValLoop

GIVEN_BY_RUNNER = {'runner', 'dataloader', 'evaluator'}
SCHEDULER_KEYS = {'convert_to_iter_based', 'epoch_length', 'optimizer'}


@dataclass
class Part:
    """A dictionary of a config that a class is built from.

    Attributes:
        key: Its dotted key.
        node: The dictionary.
        cls: The class; None if the type is unknown.
        more: Keys that are read besides the class's arguments.
    """

    key: str
    node: Any
    cls: Any
    more: frozenset[str] = frozenset()


def find_class(kind: Any, registry: Registry, scope: str | None) -> Any:
    """Look up a type in a registry; None if it is not there."""
    if not isinstance(kind, str):
        return kind
    with registry.switch_scope_and_registry(scope) as own:
        try:
            return own.get(kind)
        except Exception:  # building it will report the reason
            return None


class Parts:
    """The parts of a config.

    Args:
        cfg: The runner's config.
    """

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self.scope = cfg.get('default_scope', 'mmengine')

    def __iter__(self) -> Iterator[Part]:
        yield from self.hooks()
        yield from self.schedulers()
        for loop in ('train', 'val', 'test'):
            yield from self.loaders(loop)
        for loop in ('val', 'test'):
            yield from self.evaluators(f'{loop}_evaluator', self.cfg.get(f'{loop}_evaluator'))
            default = ValLoop if loop == 'val' else TestLoop
            yield from self.part(f'{loop}_cfg', registries.LOOPS, default=default)
        yield from self.part('visualizer', registries.VISUALIZERS)
        yield from self.part('log_processor', registries.LOG_PROCESSORS, default=LogProcessor)
        wrapper = self.cfg.get('optim_wrapper')
        if isinstance(wrapper, dict) and 'constructor' not in wrapper:
            more = {'optimizer', 'paramwise_cfg'}
            yield from self.part(
                'optim_wrapper', registries.OPTIM_WRAPPERS, more=more, default='OptimWrapper'
            )
            yield from self.of(
                'optim_wrapper.optimizer', wrapper.get('optimizer'), registries.OPTIMIZERS
            )

    def part(self, key: str, registry: Registry, **kwargs: Any) -> Iterator[Part]:
        """Yield the part of a top-level key."""
        yield from self.of(key, self.cfg.get(key), registry, **kwargs)

    def of(
        self,
        key: str,
        node: Any,
        registry: Registry,
        more: set[str] | frozenset[str] = frozenset(),
        default: Any = None,
    ) -> Iterator[Part]:
        """Yield the part of a node, unless it is none or built already."""
        if isinstance(node, dict):
            kind = node.get('type') or default
            if kind is not None:
                cls = find_class(kind, registry, node.get('_scope_') or self.scope)
                yield Part(key, node, cls, frozenset(more))

    def hooks(self) -> Iterator[Part]:
        """Yield hooks."""
        for name, hook in (self.cfg.get('default_hooks') or {}).items():
            yield from self.of(f'default_hooks.{name}', hook, registries.HOOKS, {'priority'})
        for index, hook in enumerate(self.cfg.get('custom_hooks') or []):
            yield from self.of(f'custom_hooks.{index}', hook, registries.HOOKS, {'priority'})

    def schedulers(self) -> Iterator[Part]:
        """Yield the schedules of learning rate and others."""
        for key, node in numbered('param_scheduler', self.cfg.get('param_scheduler')):
            yield from self.of(key, node, registries.PARAM_SCHEDULERS, SCHEDULER_KEYS)

    def evaluators(self, key: str, node: Any) -> Iterator[Part]:
        """Yield metrics, also those of an Evaluator."""
        for inner, metric in numbered(key, node):
            if isinstance(metric, dict) and 'metrics' in metric:
                yield from self.of(inner, metric, registries.EVALUATOR, default=Evaluator)
                yield from self.evaluators(f'{inner}.metrics', metric['metrics'])
            else:
                yield from self.of(inner, metric, registries.METRICS)

    def loaders(self, loop: str) -> Iterator[Part]:
        """Yield a loader's sampler, data sets and transforms."""
        loader = self.cfg.get(f'{loop}_dataloader')
        if not isinstance(loader, dict):
            return
        key = f'{loop}_dataloader'
        for name in ('sampler', 'batch_sampler'):
            given = {'dataset', 'seed', 'sampler', 'batch_size'}
            yield from self.of(f'{key}.{name}', loader.get(name), registries.DATA_SAMPLERS, given)
        yield from self.datasets(f'{key}.dataset', loader.get('dataset'))

    def datasets(self, key: str, node: Any) -> Iterator[Part]:
        """Yield a data set, those inside of it, and their transforms."""
        if not isinstance(node, dict):
            return
        yield from self.of(key, node, registries.DATASETS)
        yield from self.datasets(f'{key}.dataset', node.get('dataset'))
        for index, inner in enumerate(node.get('datasets') or []):
            yield from self.datasets(f'{key}.datasets.{index}', inner)
        pipeline = node.get('pipeline')
        for index, step in enumerate(pipeline if isinstance(pipeline, list | tuple) else []):
            yield from self.of(f'{key}.pipeline.{index}', step, registries.TRANSFORMS)


def numbered(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield a node, or those of a list or of a dictionary without type, with their keys."""
    if isinstance(node, list | tuple):
        for index, child in enumerate(node):
            yield f'{key}.{index}', child
    elif isinstance(node, dict) and 'type' not in node and 'metrics' not in node:
        for name, child in node.items():
            yield from numbered(f'{key}.{name}', child)
    elif node is not None:
        yield key, node
