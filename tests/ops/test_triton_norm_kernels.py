"""The kernels compile for a GPU, which need not be there. `test_triton_norm` runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

HOPPER = 'cuda', 90, 32  # backend, compute capability, threads of a warp
FLOATS = ('momentum', 'eps', 'count')
FEATURES = ('x', 'gradient', 'out', 'to_x', 'gate')
SCALARS = ('pixels', 'channels', 'rows', 'share', 'splits')
KERNELS = {
    'moments': [False],
    'statistics': [False],
    'activate': [False, True],
    'activation_sums': [False],
    'gradient_sums': [False, True],
    'input_gradient': [False, True],
}


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip('triton', '3.3', 'triton is not installed, or describes sources otherwise')
    from effnet_dense.ops import triton_norm_kernels

    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    return triton_norm_kernels


def compile_for_hopper(kernel: Any, by_channels: bool, **constants: Any) -> dict[str, Any]:
    """Compile for bfloat16 features, of sizes that are multiples of 16; return the outputs."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    dense = '_channel' if by_channels else '_pixel'
    signature: dict[str, str] = {}
    values: dict[Any, Any] = {}
    attributes: dict[Any, Any] = {}
    for index, name in enumerate(kernel.arg_names):
        is_stride = name.endswith(('_image', '_pixel', '_channel'))
        if name in constants:
            signature[name], values[index,] = 'constexpr', constants[name]
        elif name in ('gate', 'shift') and not constants['GATED']:
            signature[name], values[index,] = 'constexpr', None
        elif name.endswith(dense):
            signature[name], values[index,] = 'constexpr', 1
        elif name in FLOATS:
            signature[name] = 'fp32'
        else:
            pointer = '*bf16' if name in FEATURES else '*fp32'
            signature[name] = 'i32' if is_stride or name in SCALARS else pointer
            attributes[index,] = [['tt.divisibility', 16]]
    source = ASTSource(kernel, signature, values, attributes)
    return triton.compile(source, target=GPUTarget(*HOPPER)).asm


@pytest.mark.parametrize('by_channels', [True, False])
@pytest.mark.parametrize(
    ('name', 'gated'), [(name, gated) for name, found in KERNELS.items() for gated in found]
)
def test_compiled_for_hopper(kernels: Any, name: str, gated: bool, by_channels: bool) -> None:
    blocks = dict(BLOCK_P=32, BLOCK_C=64) if by_channels else dict(BLOCK_P=1024, BLOCK_C=2)
    if name == 'statistics':
        blocks = dict(BLOCK_R=64, BLOCK_C=16)
    asm = compile_for_hopper(getattr(kernels, name), by_channels, ACT='silu', GATED=gated, **blocks)
    assert '.target sm_90' in asm['ptx']
    assert asm['cubin']
    assert '.local' not in asm['ptx']  # nothing is kept outside of registers
    # Features are read and written by 16 bytes.
    assert len(re.findall(r'ld\.global\.v4\.b32', asm['ptx'])) >= 1
    writes = name in ('activate', 'input_gradient')
    assert bool(re.findall(r'st\.global\.v4\.b32', asm['ptx'])) is writes
