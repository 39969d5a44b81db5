"""LiteRT's networks in 8 bits: the size, the outputs, and which layers stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from effnet_dense.exporting.dense import Dense
from effnet_dense.exporting.litert_file import to_litert
from effnet_dense.exporting.litert_int8 import (
    STORED,
    LitertQuantiser,
    Operator,
    after_layers,
    last_layers,
    listed,
    operators,
)
from effnet_dense.exporting.litert_packing import with_metadata
from effnet_dense.exporting.raw_outputs import mean_difference
from tests.helpers.small_network import SIDE, images

NEEDS = 'needs tools/environment.sh litert'


class Small(nn.Module):
    """Four convolutions, and what follows the last one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2, padding=1),
            nn.ReLU6(),
            nn.Conv2d(64, 64, 3, padding=1, groups=64),
            nn.SiLU(),
            nn.Conv2d(64, 64, 1),
            nn.ReLU6(),
            nn.Conv2d(64, 4, 1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) → (N, H · W / 4, 4), positive."""
        return self.layers(images).flatten(2).transpose(1, 2).exp()


@pytest.fixture(scope='module')
def network() -> bytes:
    pytest.importorskip('litert_torch', reason=NEEDS)
    pytest.importorskip('ai_edge_quantizer', reason=NEEDS)
    return to_litert(Dense(Small().eval(), ['boxes'], {}), torch.zeros(1, 3, SIDE, SIDE))


def test_int8(network: bytes) -> None:
    data = images(8)
    quantiser = LitertQuantiser(network, data)
    found = quantiser.quantised(())
    run, expected = listed(found), listed(network)(data[0])
    assert [operator.kind for operator in operators(network)].count('CONV_2D') == 3
    assert 1e-4 < mean_difference(run(data[0]), expected) < 0.1
    kinds = [(name, types) for name, types in _types(found) if name in ('CONV_2D', 'EXP')]
    assert kinds == [  # the last layer and what follows it stay
        *[('CONV_2D', 'int8')] * 2,
        ('CONV_2D', 'float32'),
        ('EXP', 'float32'),
    ]
    layers = quantiser.layers()
    assert len(layers) == 4
    most = quantiser.quantised(layers[:3])
    last = {operator.name for operator in last_layers(operators(network))}
    kinds = [types for name, types in _types(most) if name.endswith('CONV_2D')]
    assert kinds.count('float32') == len({*layers[:3], *last})
    assert mean_difference(listed(most)(data[0]), expected) < mean_difference(
        run(data[0]), expected
    )


@pytest.mark.parametrize(
    ('precision', 'saved', 'most'), [('fp16', 12_000, 1e-3), ('int8-weights', 16_000, 0.02)]
)
def test_stored(network: bytes, precision: str, saved: int, most: float) -> None:
    stored = STORED[precision](network)
    assert len(stored) < len(network) - saved  # of 26,600 bytes of weights
    data = images(1)[0]
    assert 0 < mean_difference(listed(stored)(data), listed(network)(data)) < most
    written = with_metadata(stored, '{}')
    assert len(written) < len(stored) + 3_000  # shorter names, and the weights within the model
    assert len(written) > 26_600 - saved
    np.testing.assert_array_equal(listed(written)(data), listed(stored)(data))


def test_what_follows_the_layers() -> None:
    graph = [
        Operator('CONV_2D', 'first;', [0, 1], [2]),
        Operator('LOGISTIC', 'act;', [2], [3]),
        Operator('CONV_2D', 'last;', [3, 4], [5]),
        Operator('RESHAPE', 'row;', [5, 6], [7]),
        Operator('EXP', 'side;', [3], [8]),
    ]
    assert {operator.name for operator in after_layers(graph)} == {'row;', 'side;'}
    assert after_layers(graph[:3]) == []


def test_last_layers() -> None:
    graph = [
        Operator('CONV_2D', 'stem;', [0, 1], [2]),
        Operator('CONV_2D', 'boxes;', [2, 3], [4]),
        Operator('LOGISTIC', 'act;', [2], [5]),
        Operator('CONV_2D', 'scores;', [5, 6], [7]),
        Operator('RESHAPE', 'row;', [7, 8], [9]),
    ]
    assert {operator.name for operator in last_layers(graph)} == {'boxes;', 'scores;'}


def _types(network: bytes) -> list[tuple[str, str]]:
    """Return operator → type of its first operand."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter: Any = Interpreter(
        model_content=network,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    return [
        (details['op_name'], np.dtype(details['operand_types'][0]).name)
        for details in interpreter._get_ops_details()
    ]
