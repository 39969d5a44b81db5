"""A .pt2 file that could execute code is refused before PyTorch opens it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from effnet_dense.runtimes import pt2_archive
from effnet_dense.runtimes.pt2_archive import CONFIGS, EXTRA, MODEL, SAMPLE, checked_metadata
from effnet_dense.runtimes.torch_session import TorchSession
from tests.helpers.exported_files import METADATA
from tests.helpers.exported_programs import identity_program, needs_pt2

WEIGHT = 'data/weights/weight_0'


@pytest.fixture(scope='module')
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file that export has written."""
    needs_pt2()
    return identity_program('torch', tmp_path_factory.mktemp('pt2') / 'a.pt2').read_bytes()


def rewritten(content: bytes, **changes: bytes) -> bytes:
    """Replace records, or add them."""
    from torch.export.pt2_archive._package import PT2ArchiveWriter

    reader = torch._C.PyTorchFileReader(io.BytesIO(content))
    names = [name for name in reader.get_all_records() if '/' in name and name[0] != '.']
    records = {name: reader.get_record(name) for name in names}
    buffer = io.BytesIO()
    with PT2ArchiveWriter(buffer) as writer:
        for name, value in {**records, **changes}.items():
            writer.write_bytes(name, value)
    return buffer.getvalue()


def edited(content: bytes, name: str, change: Callable[[Any], None]) -> bytes:
    """Change a record of JSON."""
    values = json.loads(torch._C.PyTorchFileReader(io.BytesIO(content)).get_record(name))
    change(values)
    return rewritten(content, **{name: json.dumps(values).encode()})


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def pickled(values: Any) -> None:
    for entry in values['config'].values():
        entry['use_pickle'] = True


def test_a_pickle_is_not_loaded(content: bytes, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Harmful(tmp_path / 'harm'), buffer)
    harmful = rewritten(edited(content, CONFIGS[0], pickled), **{WEIGHT: buffer.getvalue()})
    (tmp_path / 'a.pt2').write_bytes(harmful)
    with pytest.raises(ValueError, match=r"a\.pt2 .* 'one' is a pickle, which may execute code"):
        TorchSession(tmp_path / 'a.pt2')
    assert not (tmp_path / 'harm').exists()
    with suppress(Exception):
        torch.export.load(tmp_path / 'a.pt2')  # PyTorch by itself executes it
    assert (tmp_path / 'harm').exists()


def graph(values: Any) -> Any:
    return values['graph_module']['graph']


def spec(values: Any, text: str) -> None:
    values['graph_module']['module_call_graph'][0]['signature']['in_spec'] = text


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda v: v['guards_code'].append('exit()'), r"has the text 'exit\(\)'"),
        (lambda v: v['range_constraints'].update({'f(1)': {}}), r"the text 'f\(1\)'"),
        (lambda v: graph(v)['nodes'][0].update(target='torch.load'), "calls 'torch.load'"),
        (lambda v: graph(v)['nodes'][0].update(target='os.system'), "calls 'os.system'"),
        (lambda v: graph(v)['nodes'][0].update(name='a; b'), "has the text 'a; b'"),
        (lambda v: spec(v, '[1, {"type": "collections.defaultdict"}]'), 'collections.defaultdict'),
        (
            lambda v: graph(v)['nodes'][0]['inputs'].append({'arg': {'as_string': 'model'}}),
            "has the text 'model'",
        ),
    ],
)
def test_graphs(content: bytes, change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(ValueError, match=f'{message}.*, which export does not write'):
        checked_metadata(edited(content, MODEL, change))


@pytest.mark.parametrize('name', ['data/aotinductor/model/a.so', 'data/weights/model.pt', 'x'])
def test_further_records(content: bytes, name: str) -> None:
    with pytest.raises(ValueError, match=f"it has '{name}', which export does not write"):
        checked_metadata(rewritten(content, **{name: b'x'}))


def test_sample_inputs(content: bytes) -> None:
    with pytest.raises(ValueError, match='it has sample inputs, which export does not write'):
        checked_metadata(rewritten(content, **{SAMPLE: b'x'}))


def test_files_of_export(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked_metadata(content) == checked_metadata(rewritten(content))
    assert json.loads(checked_metadata(content) or '')['model'] == METADATA.model
    for part in (content[: len(content) // 2], b'', b'PK', b'hello'):
        with pytest.raises(ValueError, match=r'no complete archive: .'):
            checked_metadata(part)
    monkeypatch.setattr(pt2_archive, 'EXTRA', EXTRA + '_other')
    assert checked_metadata(content) is None
