"""Compare the classes that a model trains with those that it is validated with."""

from __future__ import annotations

from typing import Any

SHOWN = 5


def check_classes(training: Any, validation: Any) -> None:
    """Compare the classes of two built data sets, in their order.

    Args:
        training: A data set with `metainfo`; without classes nothing is compared.
        validation: The same.

    Raises:
        ValueError: They differ; names both, and the keys to write.
    """
    trained, validated = classes_of(training), classes_of(validation)
    if trained and validated and trained != validated:
        raise ValueError(
            f'train_dataloader has {describe(trained)}, val_dataloader {describe(validated)}: '
            'write the same dataset.metainfo.classes, in the same order, for train_dataloader, '
            'val_dataloader and test_dataloader'
        )


def classes_of(dataset: Any) -> tuple[str, ...]:
    """Return a data set's classes; () if it has none."""
    metainfo = getattr(dataset, 'metainfo', None)
    classes = metainfo.get('classes') if isinstance(metainfo, dict) else None
    if not isinstance(classes, list | tuple) or not all(isinstance(c, str) for c in classes):
        return ()
    return tuple(classes)


def describe(classes: tuple[str, ...]) -> str:
    """Return the number of classes and the first names."""
    more = ', …' if len(classes) > SHOWN else ''
    return f'{len(classes)} classes ({", ".join(classes[:SHOWN])}{more})'
