"""Connect ONNX models by the names of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx


def chain(models: Sequence[onnx.ModelProto], outputs: Sequence[str]) -> onnx.ModelProto:
    """Connect models: an input is the output of that name of a model before it.

    Inputs that no model before has are those of the result. All other values get their model's
    number in front of their names.

    Args:
        models: In the order of their execution; no two have an output of the same name.
        outputs: Those of the result.
    """
    graph = onnx.GraphProto(name='effnet_dense')
    known: dict[str, onnx.ValueInfoProto] = {}
    domains: dict[str, int] = {}
    for number, model in enumerate(models):
        for value in model.graph.input:
            if value.name not in known:
                graph.input.append(value)
                known[value.name] = value
        known |= {value.name: value for value in model.graph.output}
        public = {value.name for value in (*model.graph.input, *model.graph.output)}
        part = _named(model.graph, _numbered(public, number))
        graph.node.extend(part.node)
        graph.initializer.extend(part.initializer)
        graph.value_info.extend(part.value_info)
        for opset in model.opset_import:
            domains[opset.domain] = max(opset.version, domains.get(opset.domain, 0))
    graph.output.extend(known[name] for name in outputs)
    opsets = [onnx.helper.make_opsetid(*item) for item in domains.items()]
    result = onnx.helper.make_model(graph, opset_imports=opsets)
    result.ir_version = models[0].ir_version
    for model in models:
        result.functions.extend(model.functions)
    return result


def renamed(model: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    """Copy a model with other names for some of its values."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.CopyFrom(_named(model.graph, lambda name: names.get(name, name)))
    return result


def _numbered(public: set[str], number: int) -> Callable[[str], str]:
    def name_of(name: str) -> str:
        return name if name in public or not name else f'{number}_{name}'

    return name_of


def _named(graph: onnx.GraphProto, name_of: Callable[[str], str]) -> onnx.GraphProto:
    """Copy a graph with other names for its values, also within the bodies of its loops."""
    result = onnx.GraphProto()
    result.CopyFrom(graph)
    for value in (*result.input, *result.output, *result.value_info, *result.initializer):
        value.name = name_of(value.name)
    for node in result.node:
        node.input[:] = [name_of(name) for name in node.input]
        node.output[:] = [name_of(name) for name in node.output]
        node.name = name_of(node.name)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                attribute.g.CopyFrom(_named(attribute.g, name_of))
    return result
