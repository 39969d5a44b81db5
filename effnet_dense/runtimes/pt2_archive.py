"""Check a .pt2 file before PyTorch opens it, which may execute code that a file contains.

torch.export loads weights, constants and sample inputs by pickle wherever a file asks for it, links
compiled libraries, imports what trees name, and executes the guards and the expressions of symbolic
sizes as Python. Files that `effnet-dense export` writes need none of that, and no other is opened.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from effnet_dense.runtimes.metadata import KEY

EXTRA = f'extra/{KEY}'
"""The record with the metadata: of torch.export's `extra_files`."""
MODEL = 'models/model.json'
SAMPLE = 'data/sample_inputs/model.pt'
CONFIGS = 'data/weights/model_weights_config.json', 'data/constants/model_constants_config.json'
RECORDS = re.compile(
    rf'archive_format|archive_version|byteorder|\.data/\w+|{EXTRA}|'
    + '|'.join(map(re.escape, (MODEL, SAMPLE, *CONFIGS)))
    + r'|data/weights/weight_\d+|data/constants/tensor_\d+'
)
OPERATOR = re.compile(r'torch\.ops\.(aten|torchvision)\.\w+\.\w+|_operator\.getitem')
WORDS = re.compile(r'[\w.:+]*', re.ASCII)
"""Neither a call nor a path can be written so."""
TREES = ('in_spec', 'out_spec')
TREE = re.compile(r'([\w\s\[\]{}",:]|"builtins\.(tuple|list|dict)")*', re.ASCII)
"""Text of a tree of tuples, lists and dictionaries; other types are named with a dot."""
MODES = ('floor', 'trunc', 'none', 'tanh', 'constant', 'reflect', 'replicate', 'circular')
"""Texts that operators may be given: a file's name is none of them."""


def checked_metadata(content: bytes) -> str | None:
    """Return the metadata's text; None if the file has none.

    Args:
        content: Of the file.

    Raises:
        ValueError: It is no .pt2 file, it is damaged, or it has something that this package does
            not write.
    """
    import torch

    try:
        reader = torch._C.PyTorchFileReader(io.BytesIO(content))
        names = reader.get_all_records()
        if EXTRA not in names:
            return None
        _check_records(reader, names)
        _check_model(json.loads(reader.get_record(MODEL)))
        return str(reader.get_record(EXTRA), 'utf-8')
    except RuntimeError as error:  # of PyTorch's reader
        reason = next(iter(str(error).strip().splitlines()), '')
        raise ValueError(f'no complete archive: {reason:.150}') from error


def _check_records(reader: Any, names: list[str]) -> None:
    """Check that a file has plain weights and no further content."""
    other = [name for name in names if not RECORDS.fullmatch(name)]
    if other:
        raise ValueError(f'it has {other[0]!r:.80}, which export does not write')
    if len(reader.get_record(SAMPLE)):
        raise ValueError('it has sample inputs, which export does not write')
    for name in CONFIGS:
        for key, entry in json.loads(reader.get_record(name))['config'].items():
            if entry['use_pickle'] is not False:
                raise ValueError(f'{key!r:.80} is a pickle, which may execute code')


def _check_model(model: Any) -> None:
    """Check that a graph has known kinds of operators, and no text that could be executed."""
    for node in _nodes(model):
        if not OPERATOR.fullmatch(str(node['target'])):
            raise ValueError(f'its graph calls {node["target"]!r:.80}, which export does not write')
    for key, text in _texts('', model):
        allowed = text in MODES if key == 'as_string' else WORDS.fullmatch(text)
        if not allowed and not (key in TREES and TREE.fullmatch(text)):
            raise ValueError(f'its graph has the text {text!r:.80}, which export does not write')


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and {'target', 'inputs'} <= value.keys():
        yield value
    for inner in _inner(value):
        yield from _nodes(inner)


def _texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each text with the key that it stands under; keys are texts, too."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield '', name
            yield from _texts(name, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(key, inner)


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
