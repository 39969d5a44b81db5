"""Draw which pixels detections and classes of label maps rest on: class-activation maps.

Examples:
  effnet-dense explain work_dirs/mine street.jpg
  effnet-dense explain work_dirs/mine
  effnet-dense explain effnet_lite0_fpn_camvid iter_368.pth folder/ --out maps --top 5
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.image_arguments import add_image_options, words_of
from effnet_dense.commands.parsers import Parser, command_parser
from effnet_dense.commands.readers import given_path, output_folder, score, whole
from effnet_dense.commands.setting_arguments import PREDICT, settings_of
from effnet_dense.utils.counted import counted

# Values of inference.explaining, which imports torch.
METHODS = ('hirescam', 'gradcam', 'gradcam++', 'layercam')
LAYERS = ('backbone', 'neck')


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'config',
        type=given_path,
        help='work folder or checkpoint of a training; or a config file, or the name of one that '
        'the package ships, before a checkpoint',
    )
    add('checkpoint', nargs='?', type=given_path, help='file, URL or named source')
    add(
        'sources',
        nargs='*',
        type=given_path,
        metavar='IMAGE|FOLDER',
        help="what to explain; by default the best and worst images of the work folder's report, "
        'where the maps are added',
    )
    add(
        '--out',
        type=output_folder,
        metavar='DIR',
        help='folder for the drawings (default: explanations/ in the work folder)',
    )
    add(
        '--top',
        type=whole(1),
        default=3,
        metavar='N',
        help='largest number of objects or classes per image (default: %(default)s)',
    )
    add(
        '--score-thr',
        type=score,
        default=0.3,
        metavar='S',
        help='lowest score of an object (default: %(default)s)',
    )
    add(
        '--method',
        choices=METHODS,
        default=METHODS[0],
        help='how maps are computed (default: %(default)s)',
    )
    add('--layer', choices=LAYERS, default=LAYERS[0], help='whose features (default: %(default)s)')
    add('--device', help='such as cpu or cuda:1; by default a GPU if there is one')
    add_image_options(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Explain the predictions on the images that the arguments name.

    Raises:
        ValueError: The model has no gradients, or files could not be read; the drawings of the
            others are written.
    """
    from effnet_dense.api.explained_report import explain_report
    from effnet_dense.engine.config import load_config
    from effnet_dense.engine.console import quieten_current
    from effnet_dense.inference import Predictor
    from effnet_dense.inference.explaining.explainer import NO_GRADIENTS, Explainer
    from effnet_dense.inference.explaining.files import explain_files
    from effnet_dense.inference.inputs import check_sources
    from effnet_dense.inference.predictor import is_exported
    from effnet_dense.report.explained import shown_images

    if not args.debug:
        quieten_current()
    if is_exported(args.config):
        raise ValueError(NO_GRADIENTS)
    checkpoint, sources = words_of(args, needed=False)
    settings = settings_of(args, PREDICT)
    config = load_config(args.config, options=args.cfg_options, splits=('val',), settings=settings)
    check_sources(sources)
    if not sources:
        if args.out:
            raise ValueError(f'expected images or folders to draw into --out {args.out}')
        shown_images(config.work_dir)  # before the model is loaded
    predictor = Predictor(
        config, checkpoint, args.device, image_range=args.image_range, runtime='pytorch'
    )
    explainer = Explainer(predictor, args.method, args.layer)
    if not sources:
        page = explain_report(explainer, config.work_dir, args.top, args.score_thr)
        print(f'Report: {page}')
        return
    out = args.out or output_folder(f'{config.work_dir}/explanations')
    skipped = explain_files(explainer, sources, out, args.top, args.score_thr)
    print(f'drawings: {out}')
    if skipped:
        raise ValueError(
            f'{counted(len(skipped), "file")} skipped, the other drawings are in {out}'
        )
