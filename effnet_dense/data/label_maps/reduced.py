"""Report `reduce_zero_label` of a config's datasets where the user's label maps differ from it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from effnet_dense.data.config_walk import loop_datasets, loops_of, type_name
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.utils.near_names import listed

OPTION = 'reduce_zero_label'


def report_reduced(cfg: Config, splits: Sequence[str], classes: LabelClasses) -> None:
    """Warn if 0 is no class in the config's datasets, but one in the user's label maps.

    Args:
        cfg: Before its datasets are replaced.
        splits: Those that the user's folder replaces.
        classes: Of the user's label maps, which hold instead of the config's option.
    """
    label = classes.label_of(0)
    if label is None or label == NO_CLASS:
        return
    datasets = [dataset for loop in loops_of(splits) for dataset in loop_datasets(cfg, loop)]
    names = dict.fromkeys(type_name(dataset) for dataset in datasets if is_reduced(dataset, cfg))
    if names:
        kind, code, table = ('value', '0', 'values')
        if classes.colours is not None:
            kind, code, table = ('colour', '#000000', 'colours')
        print_log(
            f'warning: {OPTION}=True of {listed(list(names))} is not used for --data: in its label '
            f'maps, {kind} {code} is the class {classes.names[label]!r} (label {label}), and no '
            f'label is moved. If {code} is no class, write so in classes.json: '
            f'{{"{table}": {{"{code}": "ignore", …}}}}'
        )


def is_reduced(dataset: Any, cfg: Config) -> bool:
    """Whether a dataset has `reduce_zero_label`, by its config or by the default of its type."""
    given = dataset.get(OPTION)
    return bool(_default(dataset.get('type'), cfg) if given is None else given)


def _default(kind: Any, cfg: Config) -> Any:
    """Return the option's default in the nearest class whose constructor names it."""
    if isinstance(kind, str):
        with DATASETS.switch_scope_and_registry(cfg.get('default_scope')) as registry:
            kind = registry.get(kind)
    for parent in getattr(kind, '__mro__', ()):
        if '__init__' in vars(parent):
            named = inspect.signature(parent.__init__).parameters.get(OPTION)
            if named is not None:
                return named.default
    return False
