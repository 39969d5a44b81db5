"""Turn two ONNX graphs of one module, traced at two sizes, into one for every multiple.

The graphs must be equal up to whole numbers that are proportional to a level's height, width or
their product; the result computes these from the shapes of its inputs. Whatever else differs
depends on the size in a way that two sizes do not show, and is refused.

A unit is `multiple` pixels; the sizes are counted in units. Levels that are coarser than a unit
have half of it, rounded up, once or several times: `height_2` = ⌈height / 2⌉, and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

CHECKED = (1, 2)
"""Height and width of the images on which the result is compared with PyTorch, in units."""
PREFIX = 'size_'
"""Of the values that compute sizes."""

Part = tuple[str, int]
"""A whole number as a name of `Plan.units` and its factor; ('', number) if it is constant."""


class Plan(NamedTuple):
    """Which sizes are traced.

    Attributes:
        multiple: Pixels of a unit.
        halvings: How often a unit is halved down to the coarsest level's cell.
    """

    multiple: int
    halvings: int = 0

    @property
    def traced(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Heights and widths of the two graphs, in units: all of `units` grow by other factors.

        No level but the coarsest has a side of one cell: what halves it would be left out.
        """
        if self.halvings > 2:
            return (17, 24), (33, 49)
        return ((5, 8), (9, 13)) if self.halvings else ((2, 3), (3, 5))

    @property
    def units(self) -> dict[str, tuple[int, int]]:
        """What a number may be proportional to, and its value at the two sizes."""
        sides = self.traced
        found = {}
        for times in range(self.halvings + 1):
            end = f'_{2**times}' if times else ''
            found[f'height{end}'] = sides[0][0], sides[1][0]
            found[f'width{end}'] = sides[0][1], sides[1][1]
            found[f'area{end}'] = sides[0][0] * sides[0][1], sides[1][0] * sides[1][1]
            sides = _halved(sides[0]), _halved(sides[1])
        return found

    def part_of(self, first: int, second: int) -> Part | None:
        """Explain a number by its values at both sizes; None: it is proportional to nothing."""
        if first == second:
            return '', first
        for name, units in self.units.items():
            if first % units[0] == 0 and first // units[0] * units[1] == second:
                return name, first // units[0]
        return None


def _halved(sides: tuple[int, int]) -> tuple[int, int]:
    return -(-sides[0] // 2), -(-sides[1] // 2)


class Pair(NamedTuple):
    """Values of one constant at both sizes, and the node that takes it."""

    first: NDArray[Any]
    second: NDArray[Any]
    node: onnx.NodeProto
    position: int


def any_size(first: onnx.ModelProto, second: onnx.ModelProto, plan: Plan) -> None:
    """Make a graph one for every height and width that are multiples.

    Args:
        first: Traced with images of `plan.traced[0]`; it is changed.
        second: The same module with images of `plan.traced[1]`.
        plan: Of the sizes.

    Raises:
        ValueError: The graphs differ in more than sizes, the message names the node.
    """
    for both in zip(first.graph.node, second.graph.node, strict=False):
        _pad_by_size(*both)
    pairs = list(_differing(first.graph, second.graph))
    sizes = _Sizes(first.graph, second.graph, plan)
    for pair in pairs:
        pair.node.input[pair.position] = sizes.value(pair)
    _loosen_shapes(first.graph, second.graph, plan)
    nodes = [*sizes.nodes, *first.graph.node]
    del first.graph.node[:], first.graph.value_info[:]
    first.graph.node.extend(nodes)
    first.graph.initializer.extend(sizes.constants)
    _drop_unused(first.graph)


def _pad_by_size(node: onnx.NodeProto, other: onnx.NodeProto) -> None:
    """Let a max-pooling pad by the size that it meets, if SAME padding made two of one.

    `models.layers.max_pool` halves odd sides with a pixel on either end, even ones with one at the
    end.
    """
    if node.op_type != 'MaxPool' or other.op_type != 'MaxPool':
        return
    settings = [{a.name: a for a in each.attribute} for each in (node, other)]
    pads = [list(each['pads'].ints) for each in settings if 'pads' in each]
    halve = all(
        list(each['kernel_shape'].ints) == [3, 3]
        and list(each['strides'].ints) == [2, 2]
        and each['ceil_mode'].i == 1
        for each in settings
        if each.keys() >= {'kernel_shape', 'strides', 'ceil_mode'}
    )
    if not halve or len(pads) < 2 or pads[0] == pads[1] or max(*pads[0], *pads[1]) > 1:
        return
    for each in (node, other):
        kept = [a for a in each.attribute if a.name not in ('pads', 'ceil_mode', 'auto_pad')]
        del each.attribute[:]
        each.attribute.extend([*kept, helper.make_attribute('auto_pad', 'SAME_UPPER')])


def _differing(first: onnx.GraphProto, second: onnx.GraphProto) -> Iterator[Pair]:
    """Compare two graphs; yield the constants that differ."""
    constants = [{tensor.name: tensor for tensor in graph.initializer} for graph in (first, second)]
    known = {a.name: b.name for a, b in zip(first.input, second.input, strict=True)}
    known[''] = ''
    counts = len(first.node), len(second.node)
    if counts[0] != counts[1]:
        raise ValueError(
            f'no graph for every size: {counts[0]} nodes at one, {counts[1]} at another (export '
            'it with a fixed height and width)'
        )
    for node, other in zip(first.node, second.node, strict=True):
        _check_alike(node, other)
        for position, (name, name_2) in enumerate(zip(node.input, other.input, strict=True)):
            if name in constants[0] and name_2 in constants[1]:
                value = numpy_helper.to_array(constants[0][name])
                value_2 = numpy_helper.to_array(constants[1][name_2])
                if value.dtype != value_2.dtype or not np.array_equal(value, value_2):
                    yield Pair(value, value_2, node, position)
            elif known.get(name) != name_2:
                raise _refusal(node)
        known.update(zip(node.output, other.output, strict=True))


def _check_alike(node: onnx.NodeProto, other: onnx.NodeProto) -> None:
    described = [
        (
            found.domain,
            found.op_type,
            len(found.input),
            len(found.output),
            sorted(attribute.SerializeToString() for attribute in found.attribute),
        )
        for found in (node, other)
    ]
    if described[0] != described[1]:
        raise _refusal(node)


def _refusal(node: onnx.NodeProto) -> ValueError:
    return ValueError(
        f'no graph for every size: {node.op_type} {node.name!r:.80} depends on the size of images '
        '(export it with a fixed height and width, or with a larger multiple, such as 128)'
    )


class _Sizes:
    """Nodes that compute numbers from the shapes of a graph's inputs."""

    def __init__(self, first: onnx.GraphProto, second: onnx.GraphProto, plan: Plan) -> None:
        self._plan = plan
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._units: dict[str, str] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        for values in zip(first.input, second.input, strict=True):
            shapes = [_dims(value) for value in values]
            for axis, dims in enumerate(zip(*shapes, strict=True)):
                part = plan.part_of(dims[0].dim_value, dims[1].dim_value)
                if part and part[0] and part[0] not in self._units:
                    self._units[part[0]] = self._unit(values[0].name, axis, part)
        for name in plan.units:
            self._derive(name)

    def value(self, pair: Pair) -> str:
        """Return the name of a constant that has its value at every size.

        Raises:
            ValueError: It is proportional to nothing, or to what the inputs do not tell.
        """
        first, second = pair.first, pair.second
        if first.dtype != np.int64 or first.shape != second.shape:
            raise _refusal(pair.node)
        pairs = zip(first.flat, second.flat, strict=True)
        parts = [self._plan.part_of(int(a), int(b)) for a, b in pairs]
        known = [part for part in parts if part is not None and part[0] in ('', *self._units)]
        if len(known) < len(parts):
            raise _refusal(pair.node)
        key = (first.shape, *known)
        if key not in self._known:
            self._known[key] = self._sum(known, first.shape)
        return self._known[key]

    def _sum(self, parts: list[Part], shape: tuple[int, ...]) -> str:
        """Add up the products of factors and units."""
        terms = []
        for name in dict.fromkeys(name for name, _ in parts):
            factors = [factor if own == name else 0 for own, factor in parts]
            term = self._constant(np.array(factors, np.int64).reshape(shape))
            terms.append(self._add('Mul', (term, self._units[name])) if name else term)
        total, *rest = terms
        for term in rest:
            total = self._add('Add', (total, term))
        return total

    def _unit(self, source: str, axis: int, part: Part) -> str:
        """Divide a side of an input by its factor."""
        shape = self._add('Shape', (source,))
        side = self._add('Gather', (shape, self._constant(np.array(axis, np.int64))))
        return self._add('Div', (side, self._constant(np.array(part[1], np.int64))), part[0])

    def _derive(self, name: str) -> None:
        """Compute a unit from others that are known, if it is not known itself."""
        kind, _, times = name.partition('_')
        before = f'{kind}_{int(times) // 2}' if times and times != '2' else kind
        sides = [name.replace('area', side) for side in ('height', 'width')]
        if name in self._units:
            return
        if kind == 'area' and set(sides) <= self._units.keys():
            self._units[name] = self._add('Mul', (self._units[sides[0]], self._units[sides[1]]))
        elif kind != 'area' and times and before in self._units:
            one, two = (self._constant(np.array(n, np.int64)) for n in (1, 2))
            more = self._add('Add', (self._units[before], one))
            self._units[name] = self._add('Div', (more, two))

    def _add(self, kind: str, inputs: tuple[str, ...], name: str = '') -> str:
        name = f'{PREFIX}{name or len(self.nodes)}'
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name))
        return name

    def _constant(self, values: NDArray[np.int64]) -> str:
        name = f'{PREFIX}constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(values, name))
        return name


def _dims(value: onnx.ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim


def _loosen_shapes(first: onnx.GraphProto, second: onnx.GraphProto, plan: Plan) -> None:
    """Give the sides of inputs and outputs that differ names instead of numbers."""
    pairs = [*zip(first.input, second.input, strict=True)]
    pairs += zip(first.output, second.output, strict=True)
    for values in pairs:
        for axis, (dim, other) in enumerate(zip(*map(_dims, values), strict=True)):
            if dim.dim_value == other.dim_value:
                continue
            part = plan.part_of(dim.dim_value, other.dim_value)
            side = part is not None and part[1] == plan.multiple
            dim.dim_param = part[0] if part and side else f'{values[0].name}_{axis}'


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drop the constants that no node takes any more."""
    used = {name for node in graph.node for name in node.input}
    bodies = [a.g for node in graph.node for a in node.attribute if a.HasField('g')]
    used |= {name for body in bodies for node in body.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
