"""Count the bytes that a training step's operators read and write on a GPU, without one.

    python -m benchmarks.bytes_moved [--arch b0] [--name d0] [--size 512] [--batch 8]

Networks run on tensors without memory, on CUDA's code path, convolutions in bfloat16 and norms with
parameters in float32, as in autocast. Each operator reads every tensor among its arguments once and
writes every result once; views are free. Triton's kernels are operators of one pass each
(`effnet_dense.ops.triton_norm_operators`). The column "kernels" also counts what PyTorch's kernels
read twice: batch norm its input, for statistics and result; their gradients; the output's gradient
of a convolution, for those of its input and weight.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks import detectors, features
from benchmarks.host_time import BOOKKEEPING, cuda_code_path
from benchmarks.implementation import OURS, Implementation, Peer, collect_implementations
from benchmarks.tables import ALIGN
from effnet_dense.analysis.saved_memory import output_tensors
from effnet_dense.analysis.settings import Settings
from effnet_dense.lean import LEVELS
from effnet_dense.utils.console import print_table

GIB = 2**30
HEADER = ['network', 'calls', 'operators, GiB/img', 'ratio', 'kernels, GiB/img', 'ratio']
# Their results have no values yet.
FREE = {'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided', 'detach'}
# Their argument gives shape and dtype only.
LIKE = {'zeros_like', 'ones_like', 'full_like', 'new_zeros', 'new_ones', 'new_full'}
# They do not read what they write; nor do those with an argument `out`.
FILLS = {'copy_', 'fill_', 'zero_', 'triton_norm_input_gradient'}
# Operator → which of its arguments its kernels read a second time.
TWICE = {
    'native_batch_norm': (0,),
    '_native_batch_norm_legit': (0,),
    'native_batch_norm_backward': (0, 1),
    'convolution_backward': (0,),
}


class ByteCounter(TorchDispatchMode):
    """Counts the bytes of operators.

    Attributes:
        calls: Of operators, views among them.
        operators: Every argument and result once.
        kernels: Also what kernels read a second time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.operators = self.kernels = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.partition('::')[2]
        self.calls += name not in BOOKKEEPING
        if name not in FREE and not func.is_view:
            count = _count(func, name, args, kwargs or {}, out)
            self.operators += count
            self.kernels += count + sum(bytes_of(args[index]) for index in TWICE.get(name, ()))
        return out


def _count(func: Any, name: str, args: Any, kwargs: dict[str, Any], out: Any) -> int:
    """Return the bytes that an operator reads and writes."""
    schema = func._schema
    given = {a.name: value for a, value in zip(schema.arguments, args, strict=False)} | kwargs
    changed = {a.name for a in schema.arguments if a.alias_info and a.alias_info.is_write}
    unread = changed if name in FILLS or schema.overload_name.endswith('out') else set()
    written = [given[a] for a in changed if a in given]
    results = [x for x in tree_leaves(out) if not any(x is other for other in written)]
    read = [] if name in LIKE else [value for a, value in given.items() if a not in unread]
    return bytes_of([read, written, results])


def bytes_of(tensors: Any) -> int:
    """Return the bytes of tensors in nested containers; expanded dimensions count once."""
    return sum(_bytes(tensor) for tensor in tree_leaves(tensors) if isinstance(tensor, Tensor))


def _bytes(tensor: Tensor) -> int:
    count = tensor.element_size()
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= size if stride or not size else 1
    return count


@contextmanager
def gpu_without_memory(triton: bool = True) -> Iterator[None]:
    """Run CUDA's code path on tensors of the device meta, with Triton's kernels or without."""
    with cuda_code_path(), ExitStack() as stack:
        if triton:
            own = 'effnet_dense.ops.triton_norm.'
            stack.enter_context(patch(f'{own}DEVICES', ('meta',)))
            stack.enter_context(patch(f'{own}is_available', lambda *_: True))
        yield


def count_bytes(model: nn.Module, settings: Settings) -> ByteCounter:
    """Count a forward and backward pass in training mode, channels-last.

    Args:
        model: Its parameters are replaced by ones without memory.
        settings: The number of images and their size.
    """
    model = model.to('meta').train()
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.to(torch.bfloat16)
    shape = settings.batch, 3, settings.size, settings.size
    x = torch.empty(shape, dtype=torch.bfloat16, device='meta')
    with ByteCounter() as counter:
        outs = output_tensors(model(x.contiguous(memory_format=torch.channels_last)))
        torch.autograd.backward(outs, [torch.empty_like(out) for out in outs])
    return counter


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for the backbone and one for the detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--arch', default='b0', help="a backbone, or '' for none")
    parser.add_argument('--name', default='d0', help="a detector, or '' for none")
    parser.add_argument('--lean', nargs='+', type=int, choices=LEVELS, default=list(LEVELS))
    parser.add_argument('--size', type=int, default=512, help='height and width in pixels')
    parser.add_argument('--batch', type=int, default=8)
    args = parser.parse_args(arguments)
    settings = Settings(args.size, args.batch)
    if args.arch:
        ours = features.ours(args.arch, args.lean, True)
        _print(
            args.arch, collect(ours, features.PEERS, args.arch, ['timm', 'timm-plain']), settings
        )
    if args.name:
        ours = detectors.ours(args.name, args.lean, True)
        found = collect(ours, detectors.peers(args.size), args.name, ['effdet'])
        _print(args.name, found, settings)


def collect(
    ours: list[Implementation], peers: list[Peer], name: str, only: list[str]
) -> list[Implementation]:
    """Return the named peers' implementations of a network, and ours."""
    return collect_implementations(ours, peers, name, True, [*only, OURS])[0]


def _print(name: str, implementations: Sequence[Implementation], settings: Settings) -> None:
    rows, first = [], None
    for found in implementations:
        with gpu_without_memory(triton=False):
            count = count_bytes(found.build(settings), settings)
        first = first or count
        rows.append([found.name, *_cells(count, first, settings.batch)])
        with gpu_without_memory():
            fused = count_bytes(found.build(settings), settings)
        if fused.kernels != count.kernels:
            rows.append([f'{found.name}, Triton', *_cells(fused, first, settings.batch)])
    title = f'bytes moved by a training step of {name}, {settings.size} px, bf16'
    print_table(title, HEADER, rows, ALIGN)


def _cells(count: ByteCounter, first: ByteCounter, batch: int) -> list[str]:
    pairs = (count.operators, first.operators), (count.kernels, first.kernels)
    cells = [text for a, b in pairs for text in (f'{a / batch / GIB:.3f}', f'{a / b:.2f}')]
    return [str(count.calls), *cells]


if __name__ == '__main__':
    main(sys.argv[1:])
