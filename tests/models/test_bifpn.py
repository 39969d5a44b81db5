"""BiFPN: the topology whole, the weights by hand, and a slow reference."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from effnet_dense.lean.modules import lean_class
from effnet_dense.models import BiFPN
from effnet_dense.models.bifpn import BiFPNNode, Fusion, Node, bifpn_nodes, fusion_shares, resample
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.registry import MODELS

CHANNELS = (8, 12, 20)


def features(*sizes, channels=CHANNELS, batch=2):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, count, *size, generator=generator)
        for count, size in zip(channels, sizes, strict=True)
    ]


def test_nodes_of_five_levels():
    assert bifpn_nodes(5) == (
        Node(3, (3, 4)),
        Node(2, (2, 5)),
        Node(1, (1, 6)),
        Node(0, (0, 7)),
        Node(1, (1, 7, 8)),
        Node(2, (2, 6, 9)),
        Node(3, (3, 5, 10)),
        Node(4, (4, 11)),
    )


def test_nodes_of_three_levels():
    assert bifpn_nodes(3) == (
        Node(1, (1, 2)),
        Node(0, (0, 3)),
        Node(1, (1, 3, 4)),
        Node(2, (2, 5)),
    )


def test_two_levels_are_the_fewest():
    assert bifpn_nodes(2) == (Node(0, (0, 1)), Node(1, (1, 2)))
    with pytest.raises(ValueError, match='at least 2 levels, got 1'):
        bifpn_nodes(1)


@pytest.mark.parametrize(('num_levels', 'count'), [(4, 6), (5, 8), (6, 10), (8, 14)])
def test_number_of_nodes(num_levels, count):
    nodes = bifpn_nodes(num_levels)
    assert len(nodes) == count
    # Everything that a node reads was computed before.
    assert all(max(node.inputs) < num_levels + n for n, node in enumerate(nodes))


def shares_of(*weights, fusion='fast'):
    found = fusion_shares([torch.tensor(own) for own in weights], fusion)
    return [torch.stack(own).tolist() for own in found]


def test_shares_of_fast_fusion():
    # (1, 1): 1 ÷ 2.0001 each, so that two equal inputs lose 0.005 %.
    ((first, second),) = shares_of([1.0, 1.0])
    assert first + second == pytest.approx(0.99995, abs=1e-6)
    # Negative weights count as zero; three of zero do not divide by zero.
    assert shares_of([3.0, -5.0, 1.0]) == [pytest.approx([3 / 4.0001, 0, 1 / 4.0001])]
    assert shares_of([-1.0, -1.0, -1.0]) == [[0, 0, 0]]


def test_shares_of_softmax_fusion():
    assert shares_of([0.0, 1.0986123], fusion='softmax') == [pytest.approx([0.25, 0.75])]


@pytest.mark.parametrize('fusion', ['fast', 'softmax'])
def test_shares_of_nodes_together(fusion):
    generator = torch.Generator().manual_seed(0)
    weights = [torch.rand(count, generator=generator).tolist() for count in (2, 3, 3, 2, 4, 3)]
    assert shares_of(*weights, fusion=fusion) == [
        shares_of(own, fusion=fusion)[0] for own in weights
    ]


def test_resampling():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    # 2 × 3 to 3 × 5: each pixel takes ⌊position · 2 ÷ 3⌋ and ⌊position · 3 ÷ 5⌋.
    rows, columns = [0, 0, 1], [0, 0, 1, 1, 2]
    expected = torch.tensor([[3.0 * row + column for column in columns] for row in rows])
    assert torch.equal(resample(x, (3, 5), 'same')[0, 0], expected)
    assert resample(x, (1, 2), 'same')[0, 0].tolist() == [[4.0, 5.0]]
    assert resample(x, (2, 3), 'same') is x


def test_padding_of_the_pooling():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    # The windows begin at the first pixel under SAME, one before it when padded symmetrically.
    assert resample(x, (2, 2), 'same')[0, 0].tolist() == [[10, 11], [14, 15]]
    assert resample(x, (2, 2), 'symmetric')[0, 0].tolist() == [[5, 7], [13, 15]]


def reference_forward(neck: BiFPN, inputs):
    """The paper's text for three inputs and five levels, one line after the other."""

    def project(module, x):
        if not isinstance(module, ConvNormAct):
            return x
        return F.batch_norm(module.conv(x), *statistics(module.bn))

    def statistics(bn):
        return bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0.0, bn.eps

    def down(x):
        return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)

    def up(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def node(module, *xs):
        xs = [project(projection, x) for projection, x in zip(module.projections, xs, strict=True)]
        # Resampling comes after the projection.
        target = xs[0].shape[-1]
        xs = [up(x) if x.shape[-1] < target else down(x) if x.shape[-1] > target else x for x in xs]
        w = module.fuse.edge_weights.clamp(min=0)
        x = sum(weight * x for weight, x in zip(w, xs, strict=True)) / (w.sum() + 1e-4)
        x = x * x.sigmoid()
        x = F.conv2d(x, module.conv.depthwise.weight, padding=1, groups=x.shape[1])
        x = F.conv2d(x, module.conv.pointwise.weight, module.conv.pointwise.bias)
        return F.batch_norm(x, *statistics(module.conv.bn))

    p3, p4, p5 = inputs
    p6 = down(project(neck.extra, p5))
    p7 = down(p6)
    for cell in neck.cells:
        n = cell.nodes
        p6_up = node(n[0], p6, p7)
        p5_up = node(n[1], p5, p6_up)
        p4_up = node(n[2], p4, p5_up)
        p3_out = node(n[3], p3, p4_up)
        p4_out = node(n[4], p4, p4_up, p3_out)
        p5_out = node(n[5], p5, p5_up, p4_out)
        p6_out = node(n[6], p6, p6_up, p5_out)
        p7_out = node(n[7], p7, p6_out)
        p3, p4, p5, p6, p7 = p3_out, p4_out, p5_out, p6_out, p7_out
    return p3, p4, p5, p6, p7


def test_forward_equals_the_reference():
    torch.manual_seed(0)
    neck = BiFPN(CHANNELS, 16, num_cells=2, conv_bias=True)
    for name, parameter in neck.named_parameters():
        if 'edge_weights' in name:
            nn.init.uniform_(parameter, -0.2, 1.5)
        if name.endswith('bias'):
            nn.init.normal_(parameter)
    inputs = features((32, 64), (16, 32), (8, 16))
    neck.eval()
    for ours, expected in zip(neck(inputs), reference_forward(neck, inputs), strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize('size', [(512, 512), (500, 333), (641, 427), (97, 33)])
def test_any_input_size(size):
    """Each level is half of the finer one, rounded up, however small."""
    sizes = [tuple(-(-side // 2**level) for side in size) for level in range(3, 8)]
    neck = BiFPN(CHANNELS, 8, num_cells=2)
    outs = neck(features(*sizes[:3]))
    assert [tuple(out.shape[-2:]) for out in outs] == sizes


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('fusion', ['fast', 'softmax', 'sum'])
def test_levels(fusion, padding):
    """P2–P7 from four inputs, of which the first may be left out; every parameter is used."""
    inputs = features((32, 32), (16, 16), (8, 8), (4, 4), channels=(4, *CHANNELS))
    for start_level, num_outs in ((0, 6), (1, 5), (0, 4)):
        neck = BiFPN(
            (4, *CHANNELS), 8, num_outs, 1, start_level=start_level, fusion=fusion, padding=padding
        )
        outs = neck(inputs)
        assert [out.shape[-1] for out in outs] == [32 >> start_level + n for n in range(num_outs)]
        sum(out.square().sum() for out in outs).backward()
        assert all(parameter.grad is not None for parameter in neck.parameters())


def test_levels_up_to_p9():
    """ESeg's (arXiv 2203.12683): P2–P5 of the backbone, P6–P9 pooled from P5, halved to 1 × 2."""
    sizes = [(128, 256), (64, 128), (32, 64), (16, 32)]
    neck = BiFPN([8, 8, 12, 20], 8, num_outs=8, num_cells=2).eval()
    with torch.no_grad():
        outs = neck(features(*sizes, channels=(8, 8, 12, 20), batch=1))
    expected = [*sizes, (8, 16), (4, 8), (2, 4), (1, 2)]
    assert [tuple(out.shape[2:]) for out in outs] == expected


def test_edges_are_projected_on_their_own_in_the_first_cell_alone():
    neck = BiFPN(CHANNELS, 16, num_cells=2)
    projected = {
        (cell, node, edge)
        for cell, module in enumerate(neck.cells)
        for node, inner in enumerate(module.nodes)
        for edge, projection in enumerate(inner.projections)
        if not isinstance(projection, nn.Identity)
    }
    # P5, P4, P3 on the way down, P4 and P5 once more on the way up.
    assert projected == {(0, 1, 0), (0, 2, 0), (0, 3, 0), (0, 4, 0), (0, 5, 0)}


def test_inputs_that_have_the_width_already_are_not_projected():
    neck = BiFPN((8, 8, 8), 8, num_cells=1)
    assert not any('projections' in name or 'extra' in name for name in neck.state_dict())


@pytest.mark.parametrize(
    'norm_cfg', [dict(type='SyncBN'), dict(type='GN', num_groups=4), dict(type='BN', momentum=0.1)]
)
def test_norms(norm_cfg):
    neck = BiFPN(CHANNELS, 8, num_cells=1, norm_cfg=norm_cfg)
    norm = 'gn' if norm_cfg['type'] == 'GN' else 'bn'
    assert f'cells.0.nodes.0.conv.{norm}.weight' in neck.state_dict()
    assert f'extra.{norm}.weight' in neck.state_dict()


def test_biases_before_a_norm():
    """D0's BiFPN has 196,281 parameters with them (google/automl's own test value, less ours)."""
    counts = {}
    for bias in (False, True):
        neck = MODELS.build(
            dict(
                type='effnet_dense.BiFPN',
                in_channels=(40, 112, 320),
                out_channels=64,
                conv_bias=bias,
            )
        )
        counts[bias] = sum(parameter.numel() for parameter in neck.parameters())
    assert counts[True] == 196_281
    # A projection or node has one of 64: 6 in the first cell and before it, 8 in each cell.
    assert counts[True] - counts[False] == 64 * (6 + 3 * 8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_outs=2), 'num_outs must be at least 3 with 3 inputs, got 2'),
        (dict(num_cells=0), 'num_cells must be at least 1, got 0'),
        (dict(start_level=3), 'start_level must be one of the 3 inputs, got 3'),
        (dict(fusion='attn'), "fusion must be one of .*'softmax'.*, got 'attn'"),
        (dict(padding='valid'), "padding must be one of .*, got 'valid'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        BiFPN(CHANNELS, 8, **options)


def test_wrong_number_of_features():
    with pytest.raises(ValueError, match=r'expected 3 features .*\[8, 12, 20\].*, got 2'):
        BiFPN(CHANNELS, 8)(features((8, 8), (4, 4), channels=CHANNELS[:2]))


class OldFusion(Fusion):
    def forward(self, *features):
        return super().forward(*features)


class OldNode(BiFPNNode):
    def forward(self, *inputs):
        return super().forward(*inputs)


@pytest.mark.parametrize('lean', [0, 1])
def test_nodes_with_methods_or_hooks_of_their_own_get_features_alone(lean):
    neck = BiFPN(CHANNELS, 8, num_outs=3, num_cells=1, lean=lean)
    x = features((16, 16), (8, 8), (4, 4))
    expected = neck(x)[0]
    nodes, counts = neck.cells[0].nodes, []
    node, fuse = nodes[0].__class__, nodes[0].fuse

    def changed():
        assert torch.equal(neck(x)[0], expected)

    nodes[0].__class__ = lean_class(OldNode) if lean else OldNode
    changed()
    nodes[0].__class__ = node
    fuse.__class__ = OldFusion
    changed()
    fuse.__class__ = Fusion
    fuse.register_forward_hook(lambda module, inputs, out: counts.append(len(inputs)))
    changed()
    assert counts == [2]


def test_weights_that_a_hook_sets():
    neck = BiFPN(CHANNELS, 8, num_outs=3, num_cells=1)
    fuse = neck.cells[0].nodes[1].fuse
    prune.identity(fuse, 'edge_weights')
    x = features((16, 16), (8, 8), (4, 4))
    before = neck(x)[0]
    with torch.no_grad():
        fuse.edge_weights_orig[1] = 0
    assert not torch.allclose(neck(x)[0], before)
