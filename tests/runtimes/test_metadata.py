"""The metadata of exported files: written and read back; what else is refused."""

from __future__ import annotations

import json
from dataclasses import replace

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
