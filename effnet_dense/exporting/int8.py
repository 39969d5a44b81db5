"""Quantise a network to 8 bits as far as its accuracy holds.

Decoding and suppression stay in float32. Where all layers in 8 bits cost too much accuracy, the
layers that change the outputs most stay in float32, more of them at each attempt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from mmengine.logging import print_log

from effnet_dense.exporting.accuracy import Accuracy
from effnet_dense.exporting.maker import Parts, Quantiser
from effnet_dense.utils.counted import counted

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the layers that stay in float32, one attempt after the other."""
MAX_DROP = 0.01


class Result(NamedTuple):
    """A quantised model, its accuracy in both precisions, and the layers left in float32."""

    model: Any
    fp32: Accuracy
    int8: Accuracy
    kept: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for the metadata."""
        return dict(
            metric=self.fp32.metric,
            fp32=self.fp32.value,
            int8=self.int8.value,
            images=self.fp32.images,
            float_layers=list(self.kept),
        )


def quantise(
    parts: Parts,
    quantiser: Quantiser,
    measure: Callable[[Any], Accuracy],
    max_drop: float = MAX_DROP,
) -> Result:
    """Quantise until the accuracy holds.

    Args:
        parts: The model in float32.
        quantiser: Of its network.
        measure: Evaluates a complete model.
        max_drop: Largest loss of accuracy, relative to float32's.

    Raises:
        ValueError: The accuracy does not hold, or is 0 in float32; the message has the figures.
    """
    fp32 = measure(parts.joined())
    if not fp32.value > 0:
        raise ValueError(
            f'{fp32.metric} is {fp32.value:.4f} in float32 on {counted(fp32.images, "image")}: '
            'int8 needs a trained model and its data, to compare with'
        )
    tried = []
    for kept in attempts(quantiser):
        model = quantiser.joined(quantiser.quantised(kept), parts.tail)
        int8 = measure(model)
        note = f', {counted(len(kept), "layer")} in float32' if kept else ''
        tried.append(f'{int8.value:.4f} in int8{note}')
        print_log(f'{fp32.metric} {fp32.value:.4f} in float32, {tried[-1]}', logger='current')
        if int8.value >= fp32.value * (1 - max_drop):
            return Result(model, fp32, int8, kept)
    raise ValueError(
        f'int8 costs more than {max_drop:.1%} of the accuracy: {fp32.metric} is {fp32.value:.4f} '
        f'in float32, {"; ".join(tried)} (try fp16 or int8-weights, or allow more by max_drop)'
    )


def attempts(quantiser: Quantiser) -> Iterator[Sequence[str]]:
    """Yield the layers that stay in float32: first none, then ever more of the sensitive ones."""
    yield ()
    layers = quantiser.layers()
    counts = sorted({math.ceil(share * len(layers)) for share in SHARES})
    for count in counts:
        yield layers[:count]
