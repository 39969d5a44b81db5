"""Predict on images, folders and videos; write drawings, and JSON files in COCO's formats.

Examples:
  effnet-dense predict work_dirs/effnet_lite0_mask_rcnn_finetune street.jpg
  effnet-dense predict effnet_lite0_mask_rcnn_finetune epoch_15.pth street.jpg folder/ --out found
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from effnet_dense.commands.image_arguments import add_image_options, words_of
from effnet_dense.commands.parsers import Parser, command_parser
from effnet_dense.commands.readers import given_path, output_folder, score, whole
from effnet_dense.commands.setting_arguments import PREDICT, settings_of
from effnet_dense.utils.counted import counted

if TYPE_CHECKING:
    from effnet_dense.inference import Predictor
    from effnet_dense.inference.tiles import Tiling

FOR_CHECKPOINTS = ('cfg_options', 'deploy', 'channels_last', 'device', 'cuda_graphs')
"""Arguments that an exported file does not take."""
RUNTIMES = ('auto', 'pytorch', 'onnxruntime', 'openvino')
"""Those of inference.converted, which imports a framework."""


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'config',
        type=given_path,
        help='work folder or checkpoint of a training, or a file of `export`; or a config file, or '
        'the name of one that the package ships, before a checkpoint',
    )
    add(
        'checkpoint',
        nargs='?',
        type=given_path,
        help="file, URL or named source, which a config needs; other ecosystems' weights are "
        'recognised',
    )
    add(
        'sources',
        nargs='*',
        type=given_path,
        metavar='IMAGE|FOLDER|VIDEO',
        help='what to predict on',
    )
    add(
        '--out',
        type=output_folder,
        metavar='DIR',
        help='folder for drawings and JSON files (default: predictions/ in the work folder)',
    )
    add('--score-thr', type=score, default=0.3, metavar='S', help='lowest score that is drawn')
    add(
        '--batch-size',
        type=whole(1),
        default=1,
        metavar='N',
        help='images or frames per forward pass',
    )
    add(
        '--ann-file',
        type=given_path,
        metavar='JSON',
        help='take image and category ids from this file in COCO format',
    )
    add(
        '--annotate',
        type=score,
        metavar='S',
        help="also write annotations.json, a dataset in COCO's format: detections from this score "
        'on, to correct in an annotation tool or to train on',
    )
    add('--device', help='such as cpu or cuda:1; by default a GPU if there is one')
    add('--deploy', action='store_true', help='fold norms into convolutions first: faster')
    add('--channels-last', action='store_true', help='memory format that is usually faster')
    add('--cuda-graphs', action='store_true', help='faster on a GPU, for images of one size')
    add(
        '--runtime',
        choices=RUNTIMES,
        default='auto',
        help='onnxruntime and openvino run the checkpoint by it instead of PyTorch; it is '
        'converted once, the file is kept beside it. auto (default) takes such a file on a CPU, if '
        'there is one with equal results, else PyTorch, and converts after 300 images',
    )
    add(
        '--tile',
        type=whole(32),
        metavar='PIXELS',
        help='detect objects also in square tiles of this side: for small objects in large images',
    )
    add(
        '--overlap',
        type=float,
        metavar='SHARE',
        help='of neighbouring tiles, at most 0.9 (default: 0.2): objects smaller than the overlap '
        'are complete in one of them',
    )
    add_image_options(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Predict on the files that the arguments name.

    Raises:
        ValueError: Files could not be read; the results of the others are written.
    """
    from effnet_dense.engine.console import quieten_current
    from effnet_dense.inference import infer
    from effnet_dense.inference.predictor import is_exported

    if not args.debug:
        quieten_current()
    opened = open_exported(args) if is_exported(args.config) else open_checkpoint(args)
    predictor, sources, folder = opened
    out = args.out or output_folder(f'{folder}/predictions')
    skipped = infer(
        predictor, sources, out, args.score_thr, args.batch_size, args.ann_file, args.annotate
    )
    print(f'drawings and JSON files: {out}')
    if skipped:
        raise ValueError(f'{counted(len(skipped), "file")} skipped; what was predicted is in {out}')


def open_checkpoint(args: argparse.Namespace) -> tuple[Predictor, list[str], str]:
    """Return a config's or a run's predictor, the sources, and the folder for results."""
    from effnet_dense.engine.config import load_config
    from effnet_dense.inference import Predictor
    from effnet_dense.inference.inputs import check_sources

    tiling = tiling_of(args)
    checkpoint, sources = words_of(args)
    settings = settings_of(args, PREDICT)
    config = load_config(args.config, options=args.cfg_options, splits=('val',), settings=settings)
    check_sources(sources)
    predictor = Predictor(
        config,
        checkpoint,
        args.device,
        args.deploy,
        args.channels_last,
        args.image_range,
        runtime=args.runtime,
        cuda_graphs=args.cuda_graphs,
        tiling=tiling,
    )
    return predictor, sources, config.work_dir


def open_exported(args: argparse.Namespace) -> tuple[Predictor, list[str], str]:
    """Return the predictor of an exported file, the sources, and the folder for results.

    Raises:
        ValueError: There is no source, or an argument is for checkpoints.
    """
    from effnet_dense.inference import Predictor
    from effnet_dense.inference.inputs import check_sources

    sources = [*([args.checkpoint] if args.checkpoint else []), *args.sources]
    if not sources:
        raise ValueError(f'expected images, folders or videos after {args.config}')
    given = [f'--{name.replace("_", "-")}' for name in FOR_CHECKPOINTS if getattr(args, name)]
    given += ['--runtime'] if args.runtime != 'auto' else []
    given += ['--image-size'] if settings_of(args, PREDICT).given() else []
    if given:
        raise ValueError(f'{args.config} is an exported file: it takes no {", ".join(given)}')
    check_sources(sources)
    predictor = Predictor(args.config, image_range=args.image_range, tiling=tiling_of(args))
    return predictor, sources, str(Path(args.config).parent)


def tiling_of(args: argparse.Namespace) -> Tiling | None:
    """Return the tiles that the arguments ask for.

    Raises:
        ValueError: There is an overlap, but no tile.
    """
    from effnet_dense.inference.tiles import Tiling

    if args.tile is None:
        if args.overlap is not None:
            raise ValueError(f'--overlap is for tiles: expected --tile with it, got {args.overlap}')
        return None
    return Tiling(args.tile) if args.overlap is None else Tiling(args.tile, args.overlap)
