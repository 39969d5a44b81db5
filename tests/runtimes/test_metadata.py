"""The metadata of exported files: written and read back; what else is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from effnet_dense.runtimes.metadata import SCHEMA, Metadata
from tests.helpers.exported_files import METADATA


def test_written_and_read_back() -> None:
    named = replace(METADATA, classes=['ä', 'b'])
    assert Metadata.from_json(named.to_json(), 'x') == named


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', 'x.onnx: its metadata is no JSON'),
        ('[]', r"x.onnx: expected metadata of effnet_dense, got '\[\]'"),
        ('{"schema": 1}', 'x.onnx: its metadata lacks batch, channels, checkpoint'),
        (
            json.dumps({'schema': SCHEMA + 1, 'version': '9.1'}),
            'x.onnx was written by effnet_dense 9.1, whose .* cannot read: update effnet_d',
        ),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Metadata.from_json(text, 'x.onnx')


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'mean': 'abc'}, r"expected mean of its metadata to be list\[float\], got 'abc'"),
        ({'mean': [1, None, 2]}, r'expected mean of its metadata to be list\[float\]'),
        ({'size': [32, 1.5]}, r'expected size .* list\[int\] \| None, got \[32, 1\.5\]'),
        ({'batch': True}, r'expected batch of its metadata to be int \| None, got True'),
        ({'task': 7}, 'expected task of its metadata to be str, got 7'),
        ({'nms': []}, r'expected nms of its metadata to be dict\[str, .*Any\], got \[\]'),
        ({'task': 'pose'}, "one of the tasks detection, .* got 'pose'"),
        ({'channels': 'HSV'}, "channels RGB or BGR .* 'HSV'"),
        ({'std': [1, 0, 1]}, 'std without zeros'),
    ],
)
def test_changed(changed: dict[str, Any], message: str) -> None:
    values = {**json.loads(METADATA.to_json()), **changed}
    with pytest.raises(
        ValueError, match=f'x.onnx: {message}' if 'expected' in message else message
    ):
        Metadata.from_json(json.dumps(values), 'x.onnx')
