"""Stress-test a trained model: evaluate it on corrupted and on adversarial images.

Examples:
  effnet-dense robustness work_dirs/mine --data DIR
  effnet-dense robustness work_dirs/mine --corruptions noise fog --severities 1 3 5 --attacks none
  effnet-dense robustness effnet_lite0_fpn_camvid iter_368.pth --data camvid --max-images 100
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.config_arguments import config_of, config_parser
from effnet_dense.commands.parsers import Parser
from effnet_dense.commands.readers import given_path, output_folder, positive, whole
from effnet_dense.commands.setting_arguments import TEST, add_settings, settings_of

# Values of robustness.request, which imports torch.
ATTACKS = ('fgsm', 'pgd')
SEVERITIES = (1, 2, 3, 4, 5)
EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)
PGD_STEPS = 10
NONE = 'none'


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'checkpoint',
        nargs='?',
        type=given_path,
        help='file, URL or named source; by default the best one of the work folder that is given '
        'as config',
    )
    add(
        '--out',
        type=output_folder,
        metavar='DIR',
        help='folder for robustness.json and the page (default: robustness/ in the work folder)',
    )
    add(
        '--corruptions',
        nargs='+',
        metavar='NAME',
        help='only these, such as fog or pixelate, or the families noise, blur, weather, digital '
        '(default: all fifteen); or none',
    )
    add(
        '--severities',
        nargs='+',
        type=whole(1, 5),
        metavar='N',
        default=list(SEVERITIES),
        help='only these severities of the corruptions (default: 1 2 3 4 5)',
    )
    add(
        '--attacks',
        nargs='+',
        choices=(*ATTACKS, NONE),
        default=list(ATTACKS),
        help='adversarial attacks: fgsm takes one step, pgd several; or none (default: fgsm pgd)',
    )
    add(
        '--epsilons',
        nargs='+',
        type=positive,
        metavar='E',
        default=list(EPSILONS),
        help='strengths of the attacks: largest change of a pixel value, in 1/255 (default: '
        '0.5 1 2 4 8)',
    )
    add(
        '--pgd-steps',
        type=whole(1),
        default=PGD_STEPS,
        metavar='N',
        help='steps of PGD (default: %(default)s)',
    )
    add(
        '--max-images',
        type=whole(1),
        metavar='N',
        help='evaluate this number of images, evenly spread over the data (default: all)',
    )
    add(
        '--metric',
        metavar='KEY',
        help='metric that is compared, such as coco/segm_mAP (default: box AP, mIoU or PQ)',
    )
    add(
        '--pictures',
        type=whole(0),
        default=3,
        metavar='N',
        help='images on the page for each attack; 0: no images at all (default: %(default)s)',
    )
    add(
        '--test-seed',
        type=whole(0),
        default=0,
        metavar='N',
        help="seed of the corruptions and of PGD's random starts (default: %(default)s)",
    )
    add_settings(arguments, TEST)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Test as the arguments request.

    Raises:
        ValueError: An argument is wrong, or the model is an exported file.
    """
    from effnet_dense.engine.config import check_source
    from effnet_dense.engine.run_folder import default_checkpoint
    from effnet_dense.robustness.job import stress
    from effnet_dense.robustness.request import Request
    from effnet_dense.robustness.text import as_text
    from effnet_dense.runtimes.session import is_exported

    given = {} if args.corruptions is None else {'corruptions': _listed(args.corruptions)}
    request = Request(
        severities=args.severities,
        attacks=_listed(args.attacks),
        epsilons=args.epsilons,
        pgd_steps=args.pgd_steps,
        max_images=args.max_images,
        metric=args.metric,
        pictures=args.pictures,
        seed=args.test_seed,
        **given,
    )
    for word in (args.config, args.checkpoint):
        if word is not None and is_exported(word):
            raise ValueError(f'{word} is an exported file: test the checkpoint it was made of')
    check_source(args.config)
    checkpoint = args.checkpoint or default_checkpoint(args.config)
    config = config_of(args, splits=('val',), settings=settings_of(args, TEST))
    out = args.out or output_folder(f'{config.work_dir}/robustness')
    figures = stress(config, checkpoint, request, out)
    print(f'\n{as_text(figures)}\npage: {out}/index.html')


def _listed(words: list[str]) -> list[str]:
    """Return names, or none of them for the word none.

    Raises:
        ValueError: `none` is given beside names.
    """
    if NONE in words and len(words) > 1:
        raise ValueError(f'expected names, or none alone, got {" ".join(words)}')
    return [word for word in words if word != NONE]
