"""Checkpoints that are safe to read, and wrong: one sentence, and the model is as it was."""

from __future__ import annotations

import copy
import gzip
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.resume.checkpoints import find_complete_checkpoint, read_training_state
from effnet_dense.models import EfficientNet
from effnet_dense.weights import load_weights
from effnet_dense.weights.safe import safe_load
from tests.helpers.tiny import options
from tests.helpers.tool import call

CONFIG = 'effnet_lite0_retinanet_finetune'
KEY = 'layers.1.0.expand'
State = dict[Any, Any]


@pytest.fixture(scope='module')
def network() -> EfficientNet:
    return EfficientNet('lite0')


@pytest.fixture(scope='module')
def weight(network: EfficientNet) -> str:
    """The key of a weight."""
    return next(key for key, t in network.state_dict().items() if t.ndim == 4)


def one(value: float) -> Callable[[Tensor], Tensor]:
    """Set one element."""

    def change(tensor: Tensor) -> Tensor:
        changed = tensor.clone()
        changed.view(-1)[-1] = value
        return changed

    return change


CHANGES: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    'nan': (one(float('nan')), 'finite.*NaN'),
    'inf': (one(float('inf')), 'finite.*Inf'),
    '-inf': (one(-float('inf')), 'finite.*Inf'),
    'nan in bfloat16': (lambda t: one(float('nan'))(t.bfloat16()), 'finite.*NaN'),
    'inf in float16': (lambda t: (t * 1e9).half(), 'finite.*Inf'),
    'too large': (lambda t: one(1e300)(t.double()), r'finite.*Inf as torch\.float32'),
    'int64': (lambda t: t.long(), r'floating-point.*int64'),
    'int8': (lambda t: t.to(torch.int8), r'floating-point.*int8'),
    'bool': (lambda t: t.bool(), r'floating-point.*bool'),
    'complex': (lambda t: t.to(torch.complex64), r'floating-point.*complex64'),
    'sparse': (lambda t: t.to_sparse(), 'plain tensors.*sparse_coo'),
    'meta': (lambda t: t.to('meta'), 'plain tensors.*without values'),
    'quantised': (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), 'plain.*qint8'),
    'scalar': (lambda t: t.flatten()[0].clone(), 'shape'),
    'empty': (lambda t: t[:0].clone(), 'shape'),
    'flat': (lambda t: t.flatten(), 'shape'),
    'transposed': (lambda t: t.transpose(0, 1).contiguous(), 'shape'),
    'no tensor': (lambda t: 'text', 'lacks'),
}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('change', CHANGES)
def test_wrong_tensors_are_named(change: str, network: EfficientNet, weight: str) -> None:
    function, words = CHANGES[change]
    state = network.state_dict()
    before = {key: tensor.clone() for key, tensor in state.items()}
    state[weight] = function(state[weight])
    with pytest.raises(ValueError, match=words) as raised:
        load_weights(network, state)
    assert weight in str(raised.value) and '\n' not in str(raised.value)
    assert all(torch.equal(before[key], t) for key, t in network.state_dict().items())


def test_the_number_of_wrong_tensors_is_given(network: EfficientNet) -> None:
    state = {k: t * float('nan') if t.ndim == 4 else t for k, t in network.state_dict().items()}
    number = sum(tensor.ndim == 4 for tensor in state.values())
    with pytest.raises(ValueError, match=rf'got {number} others: .* and {number - 3} more'):
        load_weights(network, state)


def test_negative_variances(network: EfficientNet) -> None:
    state = network.state_dict()
    key = next(key for key in state if key.endswith('running_var'))
    state[key] = -state[key]
    with pytest.raises(ValueError, match=rf'variances.*{key}'):
        load_weights(network, state)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_load(dtype: torch.dtype, network: EfficientNet) -> None:
    state = {
        k: t.to(dtype) if t.is_floating_point() else t for k, t in network.state_dict().items()
    }
    report = load_weights(copy.deepcopy(network), state)
    assert not report.missing and not report.unexpected


def test_counters_are_integers_and_others_may_be_anything(network: EfficientNet) -> None:
    state = network.state_dict()
    assert any(key.endswith('num_batches_tracked') for key in state)
    report = load_weights(network, {**state, 'ema_steps': torch.tensor([float('nan')])})
    assert report.unexpected == ('ema_steps',)


def test_ignored_tensors_may_be_wrong(network: EfficientNet, weight: str) -> None:
    state = network.state_dict()
    state[weight] = state[weight] * float('nan')
    report = load_weights(copy.deepcopy(network), state, ignore=(weight,))
    assert weight not in report.loaded


@pytest.mark.parametrize('prefix', [None, 'backbone'])
def test_keys_that_are_no_names(prefix: str | None) -> None:
    for state in ({0: torch.ones(1)}, {('a', 1): torch.ones(1), 'b': torch.ones(1)}):
        with pytest.raises(ValueError, match=r'names of tensors as keys.*(int|tuple)'):
            load_weights(nn.Linear(1, 1), state, prefix=prefix)


def first(state: State, change: Callable[[Tensor], Any]) -> State:
    """Change the weights of the last layer of the head."""
    key = next(key for key in reversed(list(state)) if key.endswith('weight'))
    return {**state, key: change(state[key])}


FILES: dict[str, Callable[[State], Any]] = {
    **{
        name: lambda state, f=f: {'state_dict': first(state, f)}
        for name, (f, _) in CHANGES.items()
        if name != 'no tensor'
    },
    'integer keys': lambda state: dict(enumerate(state.values())),
    'integer keys inside': lambda state: {'state_dict': dict(enumerate(state.values()))},
    'mixed keys': lambda state: {'state_dict': {**state, 7: torch.ones(1)}},
    'no tensors': lambda state: {'state_dict': {'a': 1}},
    'nothing': lambda state: {},
    'a list': lambda state: [*state.values()],
    'a tensor': lambda state: torch.ones(3),
    'a number': lambda state: 7,
    'nested': lambda state: {'state_dict': {'state_dict': {'model': {}}}},
    'meta is a list': lambda state: {'state_dict': {0: 1}, 'meta': [1]},
}


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
def test_tools_end_in_one_sentence(
    tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """tools/test.py, tools/infer.py and --resume; a traceback would be printed by none."""
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope('mmdet')
    config = load_config(CONFIG, tiny_data, options(), tmp_path)
    state = dict(MODELS.build(config.model).state_dict())
    for name, content in FILES.items():
        path = tmp_path / f'{name}.pth'
        torch.save(content(state), path)
        model = MODELS.build(config.model)
        with pytest.raises(ValueError) as raised:
            load_weights(model, path)
        assert path.name in str(raised.value) and '\n' not in str(raised.value)
    for name in ('nan', 'sparse', 'integer keys inside', 'scalar', 'a number'):
        path = tmp_path / f'{name}.pth'
        words = (CONFIG, path, tiny_data / 'images' / 'val', '--out', tmp_path / 'out')
        assert call('infer', *words, '--device', 'cpu') == 2, name
        shown = capfd.readouterr().err
        assert path.name in shown.partition('error: ')[2] and 'Traceback' not in shown


@pytest.mark.parametrize('change', ['nan', 'inf', 'sparse'])
def test_a_training_state_with_such_weights_is_not_resumed(change: str, tmp_path: Path) -> None:
    """--resume auto takes the one before."""
    older, newer = tmp_path / 'epoch_1.pth', tmp_path / 'epoch_2.pth'
    state = {
        'meta': dict(epoch=1, iter=2),
        'message_hub': dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        'optimizer': {},
        'state_dict': {'w': torch.ones(3)},
    }
    torch.save(state, older)
    torch.save({**state, 'state_dict': {'w': CHANGES[change][0](torch.ones(3))}}, newer)
    with pytest.raises(ValueError, match=r'epoch_2\.pth cannot be resumed: expected'):
        read_training_state(newer)
    (tmp_path / 'last_checkpoint').write_text(str(newer), encoding='utf-8')
    assert find_complete_checkpoint(tmp_path) == older


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('a.pth', b'\x89HDF\r\n\x1a\n' + bytes(99), 'an HDF5 file'),
        ('a.pth', pickle.dumps({'a': 1}, protocol=4), 'a pickle of protocol 4'),
        ('a.pth', gzip.compress(b'x', mtime=0), 'compressed by gzip'),
        ('a.onnx', b'\x08\x07\x12\x07pytorch', 'an ONNX file'),
    ],
)
def test_files_of_other_kinds_are_named(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf'{name} is {words}'):
        safe_load(tmp_path / name)


def test_a_length_of_safetensors_is_no_other_kind(tmp_path: Path) -> None:
    head = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    for length in (0x0480, 0x8B1F):
        content = length.to_bytes(8, 'little') + head.ljust(length) + b'\x05'
        (tmp_path / 'a.safetensors').write_bytes(content)
        assert int(safe_load(tmp_path / 'a.safetensors')['a']) == 5
