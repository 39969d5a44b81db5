"""Put the backbone into a config of each of mmdet's and mmseg's folders, train and predict once.

    python -m benchmarks.plugging_in [--peer mmdet | mmseg] [--only NAME …] [--seconds 240]

Prints a Markdown table: the folder's config, and 'works' (loss, backward pass with finite gradients
that reach the backbone, prediction), or what stops it, beside what the stock config does under the
same check. Weights are random, images have 128 pixels a side, or 512 where that is too small. B0
returns features of the stock backbone's strides, dilated where those are, else its last ones. A
folder's config is the first of three that works, also as it is. Folders without a model that has a
backbone of its own (data sets, trackers, wrappers of detectors) are left out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import effnet_dense.compat

effnet_dense.compat.install()

import mmdet  # noqa: E402
import mmseg  # noqa: E402
import torch  # noqa: E402
from mmdet.testing import demo_mm_inputs, demo_mm_proposals  # noqa: E402
from mmengine.config import Config, ConfigDict  # noqa: E402
from mmengine.logging import MessageHub  # noqa: E402
from mmengine.model import revert_sync_batchnorm  # noqa: E402
from mmengine.registry import MODELS, init_default_scope  # noqa: E402
from mmengine.structures import PixelData  # noqa: E402
from mmseg.structures import SegDataSample  # noqa: E402
from torch import nn  # noqa: E402

CHANNELS = {1: 16, 2: 24, 3: 40, 4: 112, 5: 320}
"""B0's, by layer: layer i has stride 2^i, or the largest stride of a dilated network."""
DILATED = (8, 16)
"""Largest strides that the backbone has by dilation."""
SIDE, LARGE = 128, 512
WORKS = 'works'
PARTS = ('backbone', 'data_preprocessor', 'train_cfg', 'test_cfg')
INPUTS = ('in_channels', 'c1_in_channels', 'high_in_channels')
INNER = ('kernel_update_head',)
"""Parts of heads whose inputs are not the backbone's features."""
PASSING = ('JPU',)
"""Necks that return some of the backbone's features as well."""
REASONS = {
    'beit': "its neck makes a pyramid of a vision transformer's features, of one width",
    'centripetalnet': "needs HourglassNet's features, all of one stride",
    'cornernet': "needs HourglassNet's features, all of one stride",
    'ddrnet': 'its head is for the features of its own backbone',
    'detectors': "its neck feeds features back into DetectoRS's ResNet",
    'dpt': "its head needs a vision transformer's patches and class token",
    'mae': "its neck makes a pyramid of a vision transformer's features, of one width",
    'pidnet': 'its head is for the features of its own backbone',
    'setr': "needs a vision transformer's features, all of one stride",
    'tridentnet': "needs the branches of TridentNet's ResNet",
}
"""Folders whose models are bound to a backbone's parts, and to which."""
PEERS = {
    'mmdet': Path(mmdet.__file__).parent / '.mim' / 'configs',
    'mmseg': Path(mmseg.__file__).parent / '.mim' / 'configs',
}
Check = dict[str, Any]


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--peer', choices=PEERS, nargs='*', default=[*PEERS])
    parser.add_argument('--only', nargs='*', default=[], help='folders with these names')
    parser.add_argument('--seconds', type=int, default=240, help='CPU time of each check')
    args = parser.parse_args()
    print('| folder | config | EfficientNet-B0 | stock |\n|---|---|---|---|', flush=True)
    counts: dict[str, list[bool]] = {peer: [] for peer in args.peer}
    for peer, paths in configs(args.peer, args.only):
        path, ours, stock = compare(peer, paths, args.seconds)
        counts[peer].append(ours == WORKS)
        print(f'| {peer} {path.parent.name} | {path.stem} | {ours} | {stock} |', flush=True)
    print('\n' + ', '.join(f'{peer}: {sum(c)} of {len(c)}' for peer, c in counts.items()))


def compare(peer: str, paths: Iterator[Path], seconds: int) -> tuple[Path, str, str]:
    """Check the first config that works with either backbone; return both results."""
    results = []
    for path in paths:
        ours = isolated(path, peer, True, seconds)
        stock = '' if ours == WORKS else isolated(path, peer, False, seconds)
        if stock == WORKS:
            ours = f'{REASONS.get(path.parent.name, "unknown")} ({ours})'
        results.append((path, ours, stock))
        if WORKS in (ours, stock):
            return results[-1]
    return results[0]


def configs(peers: list[str], only: list[str]) -> Iterator[tuple[str, Iterator[Path]]]:
    """Yield the peer and paths of up to three configs of each folder, those on ResNet-50 first."""
    for peer in peers:
        for folder in sorted(path for path in PEERS[peer].iterdir() if path.is_dir()):
            if folder.name == '_base_' or (only and folder.name not in only):
                continue
            names = sorted(folder.glob('*.py'), key=lambda p: ('r50' not in p.stem, len(p.stem)))
            found = filter(has_backbone, names[:8])
            first = next(found, None)
            if first is not None:
                yield peer, chain([first], islice(found, 2))


def has_backbone(path: Path) -> bool:
    """Whether a config can be read here and its model has a backbone that can be exchanged."""
    try:
        model = Config.fromfile(path).get('model') or {}
    except Exception:  # of another package's config, or one that is no config
        return False
    return isinstance(model.get('backbone'), Mapping) and 'type' in model


def isolated(path: Path, peer: str, ours: bool, seconds: int) -> str:
    """Check a config in a process of its own; return 'works' or what stopped it, in one line."""
    context = multiprocessing.get_context('fork')
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=in_child, args=(send, path, peer, ours, seconds))
    process.start()
    send.close()
    try:
        answer: str = receive.recv()
    except EOFError:
        answer = f'more than {seconds} s of CPU time, or of memory'
    process.join()
    return answer


def in_child(send: Connection, path: Path, peer: str, ours: bool, seconds: int) -> None:
    """Send what `check` says."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    torch.set_num_threads(1)
    os.chdir(PEERS[peer].parent)  # to which configs of teachers are relative
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        answer = result(path, peer, ours, SIDE)
        if answer != WORKS:
            answer = result(path, peer, ours, LARGE)
    send.send(answer.replace('|', '/'))


def result(path: Path, peer: str, ours: bool, side: int) -> str:
    """Return 'works', or the first line of the error."""
    try:
        check(Config.fromfile(path), peer, ours, side)
    except Exception as error:
        first = (str(error) or '').strip().splitlines()[:1]
        return f'{type(error).__name__}: {first[0] if first else ""}'[:160]
    return WORKS


def check(config: Config, peer: str, ours: bool, side: int) -> None:
    """Compute a loss, its gradients and a prediction.

    Raises:
        ValueError: Gradients are not finite, or none reaches the backbone.
    """
    init_default_scope(peer)
    MessageHub.get_current_instance().update_info('iter', 0)  # as a runner does
    model_config = prepared(config, side)
    if ours:
        exchange_backbone(model_config, side)
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(model_config))
    model.init_weights()
    make_batch = detection_batch if peer == 'mmdet' else segmentation_batch
    batch = make_batch(model_config, side)
    data = model.data_preprocessor(batch, True)
    total, _ = model.parse_losses(model.train()(**data, mode='loss'))
    total.backward()
    check_gradients(model)
    with torch.no_grad():
        model.eval()(**model.data_preprocessor(batch, False), mode='predict')


def prepared(config: Config, side: int) -> ConfigDict:
    """Return the model's config for images of a size, without downloads and resizing of batches."""
    model = config.model
    offline(model)
    if 'img_size' in model.backbone:
        model.backbone.img_size = (side, side)
    preprocessor = model.setdefault('data_preprocessor', config.get('data_preprocessor') or {})
    preprocessor.pop('batch_augments', None)
    if preprocessor.get('size') is not None:
        preprocessor.size = (side, side)
    return model


def offline(node: Any) -> None:
    """Remove the sources of pretrained weights."""
    if isinstance(node, dict):
        if isinstance(node.get('init_cfg'), dict) and node['init_cfg'].get('type') == 'Pretrained':
            node['init_cfg'] = None
        for key in ('pretrained', 'teacher_ckpt'):
            if node.get(key) is not None:
                node[key] = None
        for value in node.values():
            offline(value)
    elif isinstance(node, list | tuple):
        for value in node:
            offline(value)


def exchange_backbone(model: ConfigDict, side: int) -> None:
    """Put B0 in the place of a backbone, with as many outputs, and tell who reads them."""
    colours = image_channels(model)
    with torch.no_grad():
        stock = MODELS.build(model.backbone)
        stock.eval()  # of mmdet's backbones returns None
        features = stock(torch.zeros(1, colours, side, side))
    if isinstance(features, torch.Tensor):
        features = (features,)
    widths = [feature.shape[1] for feature in features]
    if not 1 <= len(widths) <= len(CHANNELS):
        raise ValueError(f'{len(widths)} features, EfficientNet has {len(CHANNELS)}')
    layers, stride = matching_layers([round(side / feature.shape[-1]) for feature in features])
    model.backbone = ConfigDict(
        type='effnet_dense.EfficientNet',
        arch='b0',
        out_indices=layers,
        output_stride=stride,
        in_channels=colours,
    )
    channels = [CHANNELS[layer] for layer in layers]
    for reader in readers(model):
        set_channels(reader, widths, channels)


def image_channels(model: ConfigDict) -> int:
    """Return the channels of the images that a backbone reads."""
    return int(model.backbone.get('in_channels') or 3)


def matching_layers(strides: list[int]) -> tuple[list[int], int]:
    """Return the layers that have these strides, and the network's largest stride.

    The last layers where there are none: where strides repeat as of a vision transformer, or do not
    ascend.
    """
    largest = max(strides) if max(strides) in DILATED else 2 ** max(CHANNELS)
    layers: list[int] = []
    free = [*CHANNELS]
    for stride in reversed(strides):
        fitting = [layer for layer in free if min(2**layer, largest) == stride]
        if not fitting:
            return [*CHANNELS][-len(strides) :], 2 ** max(CHANNELS)
        layers.insert(0, fitting[-1])
        free = free[: free.index(fitting[-1])]
    return layers, largest


def readers(model: ConfigDict) -> list[ConfigDict]:
    """List the parts of a model that read the backbone's features."""
    heads = [model[key] for key in model if key not in (*PARTS, 'neck')]
    neck = model.get('neck')
    if not neck:
        return heads
    if isinstance(neck, list):  # the first one reads the features
        return neck[:1]
    passed = [model.auxiliary_head] if neck.type in PASSING and 'auxiliary_head' in model else []
    return [neck, *passed]


def set_channels(node: Any, widths: list[int], channels: list[int]) -> None:
    """Replace the numbers of a backbone's channels in the parts that read its features."""
    if isinstance(node, list | tuple):
        for child in node:
            set_channels(child, widths, channels)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in INNER:
            continue
        if key not in INPUTS:
            set_channels(value, widths, channels)
        elif isinstance(value, list | tuple):
            start = [widths[i : i + len(value)] == list(value) for i in range(len(widths))]
            if True in start:
                node[key] = type(value)(channels[start.index(True) :][: len(value)])
            elif list(value) == widths[::-1]:  # from coarse to fine, as in YOLOv3's neck
                node[key] = type(value)(channels[::-1])
        elif value in widths:
            index = node.get('in_index') if key == 'in_channels' else None
            node[key] = channels[index if isinstance(index, int) else widths.index(value)]
    if node.get('num_convs') == 0 and 'in_channels' in node and 'channels' in node:
        node.channels = node.in_channels  # mmseg's FCNHead without convolutions


def detection_batch(model: ConfigDict, side: int) -> Check:
    """Make two images with boxes, masks and label maps."""
    classes = min([80, *numbers(model, 'num_classes')])
    shapes = [[3, side, side], [3, side, side]]
    batch = demo_mm_inputs(
        2,
        shapes,
        num_classes=max(classes, 2),
        with_mask=True,
        with_semantic=True,
        sem_seg_output_strides=1,
    )
    for sample in batch['data_samples']:
        sample.gt_instances.labels %= classes
    if model.type == 'FastRCNN':
        proposals = demo_mm_proposals(shapes, 20)
        for sample, each in zip(batch['data_samples'], proposals, strict=True):
            sample.proposals = each
    return batch  # type: ignore[no-any-return]


def segmentation_batch(model: ConfigDict, side: int) -> Check:
    """Make two images with label maps."""
    generator = torch.Generator().manual_seed(0)
    classes = min([150, *numbers(model, 'num_classes')])
    samples = []
    for _ in range(2):
        shape = (side, side)
        sample = SegDataSample(metainfo=dict(ori_shape=shape, img_shape=shape, pad_shape=shape))
        labels = torch.randint(classes, (1, side, side), generator=generator)
        sample.gt_sem_seg = PixelData(data=labels)
        sample.gt_edge_map = PixelData(data=labels % 2)
        samples.append(sample)
    shape = (2, image_channels(model), side, side)
    images = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    return dict(inputs=list(images), data_samples=samples)


def numbers(node: Any, name: str) -> Iterator[int]:
    """Yield the values of a key in a config."""
    if isinstance(node, dict):
        if isinstance(node.get(name), int):
            yield node[name]
        for value in node.values():
            yield from numbers(value, name)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from numbers(value, name)


def check_gradients(model: nn.Module) -> None:
    """Check that gradients are finite, and that the backbone has some."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            raise ValueError(f'gradients of {name} are not finite')
    grads = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    if not any(grad.abs().sum() > 0 for grad in grads):
        raise ValueError('no gradient reaches the backbone')


if __name__ == '__main__':
    main()
