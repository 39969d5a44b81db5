"""What LiteRT's files consist of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from effnet_dense.exporting.litert_packing import short_name, unique, with_metadata
from effnet_dense.runtimes.litert_session import LitertSession, read_metadata
from tests.helpers.litert_files import DENSE, three_priors

pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')


def test_metadata_is_replaced(tmp_path: Path) -> None:
    path = three_priors(tmp_path / 'a.tflite')
    content = with_metadata(path.read_bytes(), '{"name": "ä"}')
    assert read_metadata(content) == '{"name": "ä"}'
    path.write_bytes(with_metadata(content, DENSE.to_json()))
    assert LitertSession(path).metadata == DENSE


def test_equal_arrays_are_written_once(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    content = with_metadata(three_priors(tmp_path / 'a.tflite').read_bytes(), '{}')
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    weights = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)
    sizes = {}
    for copies in (1, 3):
        added = [schema.BufferT() for _ in range(copies)]
        for buffer in added:
            buffer.data = weights.copy()
        model.buffers += added
        changed = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
        sizes[copies] = len(with_metadata(changed, '{}'))
        del model.buffers[-copies:]
    assert sizes[1] > len(content) + 5000 and sizes[3] < sizes[1] + 200


@pytest.mark.parametrize(
    'name, short',
    [
        ('serving_default_images', 'serving_default_images'),
        (
            'effnet_dense.exporting.litert_file._ChannelsLast/effnet_dense.exporting.network.'
            'SegmentationNetwork_module/torch.nn.modules.container.Sequential_5/'
            'effnet_dense.models.layers.ConvNormAct_expand_conv/torch.nn.modules.conv.Conv2d_conv;1',
            'module/5/expand_conv/conv;1',
        ),
        ('a.B_c;;a.B_d/e.F_g;2', 'c;;d/g;2'),
    ],
)
def test_names(name: str, short: str) -> None:
    assert short_name(name) == short


def test_unique_names() -> None:
    assert unique(['a', '', 'a', 'a', '', 'b', 'a_2']) == [
        'a',
        'value',
        'a_2',
        'a_3',
        'value_2',
        'b',
        'a_2_2',
    ]
