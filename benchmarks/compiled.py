"""Count what compiled training saves and computes again, at each level of lean training.

python -m benchmarks.compiled --name b0 --size 512
python -m benchmarks.compiled --name d0 --size 512

Nothing is timed and no code is generated: torch's partitioner decides, on any device.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from functorch.compile import make_boxed_func
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.utils import counters
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor.decomposition import select_decomp_table

from effnet_dense import lean
from effnet_dense.analysis.detector import DetectorNetwork
from effnet_dense.analysis.saved_memory import MIB, count_by_hooks, output_tensors
from effnet_dense.engine.compiled import compile_parts
from effnet_dense.lean import LEVELS
from effnet_dense.models import EfficientNet
from effnet_dense.utils.console import print_table


@dataclass
class Graphs:
    """The graphs that torch.compile has made of a network.

    Attributes:
        forward, backward: One for each captured graph.
    """

    forward: list[Any] = field(default_factory=list)
    backward: list[Any] = field(default_factory=list)

    def backend(self) -> Any:
        """Return a backend of torch.compile that keeps the graphs and runs them as they are."""

        def keep(kept: list[Any]) -> Any:
            def compiler(graph: Any, inputs: Any) -> Any:
                kept.append(graph)
                return make_boxed_func(graph)

            return compiler

        return aot_autograd(
            fw_compiler=keep(self.forward),
            bw_compiler=keep(self.backward),
            partition_fn=min_cut_rematerialization_partition,
            decompositions=select_decomp_table(),
        )

    def repeated(self) -> Counter[str]:
        """Return the operators of backward graphs that the forward graphs have as well.

        The partitioner keeps a node's name where it copies it.
        """
        found: Counter[str] = Counter()
        for forward, backward in zip(self.forward, self.backward, strict=True):
            names = {node.name for node in forward.graph.nodes if node.op == 'call_function'}
            found.update(
                str(node.target)
                for node in backward.graph.nodes
                if node.op == 'call_function' and node.name in names
            )
        return found


def measure(network: nn.Module, x: Tensor, level: int) -> dict[str, Any]:
    """Compile a network's parts at a level of lean training, and count.

    Args:
        network: In training mode; changed in place.
        x: Images (N, 3, H, W).
        level: 0, 1 or 2.
    """
    eager = copy.deepcopy(network)
    lean.apply(network, level)
    torch._dynamo.reset()
    counters.clear()
    graphs = Graphs()
    compile_parts(network, backend=graphs.backend())
    saved = count_by_hooks(network, x)
    found, expected = results(network, x), results(eager, x)
    repeated = graphs.repeated()
    convolutions = sum(n for name, n in repeated.items() if 'convolution' in name)
    return {
        'lean': level,
        'graphs': len(graphs.forward),
        'breaks': sum(counters['graph_break'].values()),
        'saved MiB': round(saved / MIB, 1),
        'computed again': sum(repeated.values()),
        'convolutions': convolutions,
        **{name: f'{_difference(found[name], expected[name]):.0e}' for name in expected},
    }


def results(network: nn.Module, x: Tensor) -> dict[str, list[Tensor]]:
    """Return a network's outputs, and the gradients of their mean squares, by columns' names."""
    outputs = output_tensors(network(x))
    torch.stack([out.float().square().mean() for out in outputs]).sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return {'outputs differ by': [out.detach() for out in outputs], 'gradients by': gradients}


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the length of the difference of two lists of tensors, as a share of theirs."""
    pairs = list(zip(found, expected, strict=True))
    apart = sum(float((a - b).double().square().sum()) for a, b in pairs)
    return float((apart / sum(float(b.double().square().sum()) for _, b in pairs)) ** 0.5)


def network_of(name: str) -> nn.Module:
    """Build a backbone's C3–C5 ('b0'), or an EfficientDet without its losses ('d0').

    Raises:
        KeyError: There is neither.
    """
    if name.startswith('d'):
        return DetectorNetwork(name)
    return EfficientNet(name, out_indices=(3, 4, 5))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of a network."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.compiled',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--name', default='b0', help="a backbone, or 'd0' … 'd7x'")
    parser.add_argument('--size', type=int, default=512, help='height and width in pixels')
    parser.add_argument('--lean', nargs='+', type=int, choices=LEVELS, default=list(LEVELS))
    args = parser.parse_args(arguments)
    x = torch.randn(1, 3, args.size, args.size)
    rows = []
    for level in args.lean:
        torch.manual_seed(0)
        rows.append(measure(network_of(args.name).train(), x, level))
    columns = list(rows[0])
    title = f'{args.name}, {args.size} px, torch {torch.__version__}'
    print_table(title, columns, [[str(row[column]) for column in columns] for row in rows])


if __name__ == '__main__':
    main(sys.argv[1:])
