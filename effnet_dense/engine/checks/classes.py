"""Compare the classes that a model trains with those that it is validated with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch.nn import ModuleList

from effnet_dense.data.coco.label_order import DECLARED, classes_of
from effnet_dense.utils.counted import counted
from effnet_dense.utils.near_names import listed, with_nearest
from effnet_dense.utils.saved_config import KEY

CLASS_HEADS = {
    'bbox_head': 'num_classes',
    'roi_head.bbox_head': 'num_classes',
    'decode_head': 'num_classes',
    'panoptic_head': 'num_things_classes',
    'panoptic_fusion_head': 'num_things_classes',
}
"""Part of a model → its attribute that has the number of classes."""


def check_classes(training: Any, validation: Any) -> None:
    """Compare the classes of two built data sets, in their order.

    Args:
        training: A data set with `metainfo`; without classes nothing is compared.
        validation: The same.

    Raises:
        ValueError: They differ; names both, and the keys to write.
    """
    trained, validated = classes_of(training), classes_of(validation)
    if trained == validated:  # by the annotation files; the config's may still differ
        trained = getattr(training, DECLARED, trained)
        validated = getattr(validation, DECLARED, validated)
    if trained and validated and trained != validated:
        raise ValueError(
            f'train_dataloader has {describe(trained)}, val_dataloader {describe(validated)}: '
            'write the same dataset.metainfo.classes, and the categories of their annotation '
            'files, in the same order for train_dataloader, val_dataloader and test_dataloader'
        )


def check_num_classes(model: Any, dataset: Any) -> None:
    """Compare the classes of a model's heads with those of its training data.

    Heads of models with things and stuff have a part of the classes each, and are not compared.

    Args:
        model: Built.
        dataset: Built; without classes nothing is compared.

    Raises:
        ValueError: A head has another number; names the key, and both numbers.
    """
    classes = classes_of(dataset)
    stuff = getattr(getattr(model, 'panoptic_fusion_head', None), 'num_stuff_classes', None)
    if not classes or stuff:
        return
    for key, name_of_number in CLASS_HEADS.items():
        part: Any = model
        for name in key.split('.'):
            part = getattr(part, name, None)
        for head in part if isinstance(part, ModuleList) else [part]:
            number = getattr(head, name_of_number, None)
            if isinstance(number, int) and number != len(classes):
                raise ValueError(
                    f'model.{key}.{name_of_number} is {number}, but train_dataloader has '
                    f'{describe(classes)}: write model.{key}.{name_of_number}={len(classes)}'
                )


def describe(classes: Sequence[str]) -> str:
    """Return the number of classes and the first names."""
    return f'{counted(len(classes), "class")} ({listed(classes)})'


def label_map(model: Sequence[str], data: Sequence[str], checkpoint: str) -> tuple[int, ...] | None:
    """Find the data's label of each of a model's classes, by name.

    Args:
        model: The classes of a model, in the order of its labels.
        data: Those of the data that it is tested on.
        checkpoint: The model's file, for messages.

    Returns:
        The data's label, or -1 where the data lacks the class; None if the labels are the same.

    Raises:
        ValueError: The data has names that the model lacks.
    """
    if tuple(model) == tuple(data):
        return None
    unknown = [name for name in data if name not in model]
    if unknown or len(set(model)) < len(model) or len(set(data)) < len(data):
        names = f'not {with_nearest(unknown, model)}' if unknown else 'some of them twice'
        raise ValueError(
            f'{checkpoint} was trained with {describe(model)}, {names}: test_dataloader has '
            f'{describe(data)}; rename them, so that they can be compared by name'
        )
    return tuple(data.index(name) if name in data else -1 for name in model)


def mapping_message(model: Sequence[str], data: Sequence[str], checkpoint: str) -> str:
    """Describe what `label_map` does to predictions."""
    lost = [name for name in model if name not in data]
    more = f'; predictions of {listed(lost)} are left out, which the data lacks' if lost else ''
    return (
        f'{checkpoint} was trained with {describe(model)}, test_dataloader has {describe(data)}: '
        f'predictions are mapped by name{more}'
    )


def named_by_file(names: Sequence[str], dataset: Any, meta: Any) -> tuple[str, ...]:
    """Return a checkpoint's classes in the order of its labels.

    Programs that do not put `metainfo.classes` into the annotation file's order saved the order of
    the config: where it is that of the tested data, too, the same config named them.

    Args:
        names: The checkpoint's.
        dataset: The built data set that the model is tested on.
        meta: The checkpoint's `meta`.
    """
    declared = getattr(dataset, DECLARED, None)
    standard = getattr(type(dataset), 'METAINFO', {}).get('classes')
    ordered = isinstance(meta, dict) and KEY in meta
    if declared and tuple(names) == declared and not ordered and declared != tuple(standard or ()):
        return classes_of(dataset)
    return tuple(names)


def other_classes_message(
    names: Sequence[str], data: Sequence[str], loaded: Iterable[str], missing: Iterable[str]
) -> str:
    """Describe what training with other classes than `load_from`'s begins with; '' if the same.

    Args:
        names: The classes of `load_from`.
        data: Those of the training.
        loaded: The model's keys that were loaded.
        missing: Those that were not.
    """
    if not names or not data or tuple(names) == tuple(data):
        return ''
    heads = {key.split('.')[0] for key in loaded if '_head.' in key}
    new = {key.split('.')[0] for key in missing if '_head.' in key}
    begin = f'{", ".join(sorted(new))} begins with new weights' if new else ''
    kept = (
        f'{", ".join(sorted(heads - new))} begins with weights for those classes, in their order '
        f'(load_from_ignore={[f"{head}." for head in sorted(heads - new)]} would not load them)'
        if heads - new
        else ''
    )
    return (
        f'load_from was trained with {describe(names)}, this run has {describe(data)}: '
        f'{"; ".join(filter(None, (begin, kept))) or "no head was loaded"}'
    )
