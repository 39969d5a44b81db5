"""Names of mmdet's `projects/EfficientDet`, written without our table."""

from __future__ import annotations

import re

# The names of a cell's eight nodes in its `bifpn.py`.
CONVS = (
    *('conv6_up', 'conv5_up', 'conv4_up', 'conv3_up'),
    *('conv4_down', 'conv5_down', 'conv6_down', 'conv7_down'),
)
WEIGHTS = ('p6_w1', 'p5_w1', 'p4_w1', 'p3_w1', 'p4_w2', 'p5_w2', 'p6_w2', 'p7_w2')
CHANNELS = {
    1: 'p5_down_channel',
    2: 'p4_down_channel',
    3: 'p3_down_channel',
    4: 'p4_level_connection',
    5: 'p5_level_connection',
}


def project_name(key: str) -> str:
    """Translate a key of ours to the project's."""
    found = re.match(r'neck\.cells\.(\d)\.nodes\.(\d)\.(.*)', key)
    if found:
        cell, node, rest = found[1], int(found[2]), found[3]
        prefix = f'neck.bifpn.{cell}.'
        if rest == 'fuse.edge_weights':
            return prefix + WEIGHTS[node]
        rest = re.sub(r'^projections\.0\.conv', f'{CHANNELS.get(node)}.down_conv', rest)
        rest = re.sub(r'^projections\.0', str(CHANNELS.get(node)), rest)
        return prefix + with_convolutions(re.sub(r'^conv\.', f'{CONVS[node]}.', rest))
    key = key.replace('neck.extra.conv', 'neck.bifpn.0.p5_to_p6.0.down_conv')
    key = key.replace('neck.extra.bn', 'neck.bifpn.0.p5_to_p6.0.bn')
    if key.startswith('bbox_head.'):
        for ours, theirs in (('convs', 'conv_list'), ('norms', 'bn_list'), ('predict', 'header')):
            key = key.replace(f'_{ours}.', f'_{theirs}.')
        key = with_convolutions(key)
    return key


def with_convolutions(key: str) -> str:
    return re.sub(r'\.(depthwise|pointwise)\.', r'.\1_conv.', key)
