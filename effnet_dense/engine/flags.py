"""Change a config as the tools' flags request: `--amp`, `--resume`, `--skip-bad` …"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from effnet_dense.data import use_data
from effnet_dense.data.coco.config import DATA
from effnet_dense.data.parts import Division
from effnet_dense.data.skipping import SkipBad
from effnet_dense.engine.settings.precision import amp_precision, set_precision
from effnet_dense.utils.run_lock import check_unlocked


def use_amp(config: Config) -> None:
    """Train in mixed precision (`--amp`): bfloat16 on a CPU and on GPUs that have it, else float16.

    float16 is trained with loss scaling.

    Raises:
        ValueError: See `set_precision`.
    """
    set_precision(config, amp_precision(config))


def scale_learning_rate(config: Config) -> None:
    """Scale the learning rate to this run's images per step (`--auto-scale-lr`).

    Raises:
        ValueError: The config has no batch size that its rate is meant for.
    """
    if not config.get('auto_scale_lr', {}).get('base_batch_size'):
        raise ValueError(
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config, '
            f'got {config.get("auto_scale_lr")}'
        )
    config.auto_scale_lr.enable = True


def resume_from(config: Config, checkpoint: str) -> None:
    """Resume a run from a checkpoint, or from the work folder's last one ('auto').

    Raises:
        FileNotFoundError: No such checkpoint.
    """
    config.resume = True
    if checkpoint == 'auto':
        config.load_from_first = config.get('load_from')  # if there is no checkpoint yet
        config.load_from = None
    else:
        config.load_from = checkpoint
    if checkpoint != 'auto' and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'--resume: no checkpoint {checkpoint!r}')


def draw_predictions(config: Config, folder: str | Path, count: int | None = None) -> None:
    """Draw test images' predictions beside their ground truth into a folder (`--show-dir`).

    Args:
        config: Its visualization hook is replaced.
        folder: Where the drawings go.
        count: Images to draw, evenly spread; None for all.
    """
    hooks = config.get('default_hooks') or {}
    pictures = dict(
        type='effnet_dense.PicturesHook',
        folder=str(Path(folder).resolve()),
        count=count,
        score_thr=(hooks.get('visualization') or {}).get('score_thr', 0.3),
    )
    config.default_hooks = {**hooks, 'visualization': pictures}


def skip_bad_data(
    config: Config,
    skip: SkipBad,
    data: str | Path | None,
    splits: Sequence[str],
    division: Division | None = None,
) -> None:
    """Leave out broken images and annotations (`--skip-bad`): in `data` now, in others in training.

    Raises:
        FileExistsError: A training holds the work folder.
        ValueError: The limit is not a share, or more of `data` is broken.
    """
    if not 0 < skip.limit <= 1:
        raise ValueError(f'--skip-bad expects a share above 0, up to 1, got {skip.limit}')
    if data is not None and 'train' in splits:
        check_unlocked(skip.folder)  # its training reads the lists that would be replaced
    hook = dict(type='effnet_dense.SkipBadHook', limit=skip.limit)
    source = None
    if data is not None:
        place = skip.folder / DATA
        source = use_data(config, data, splits, skip=skip, scratch=place, division=division)
    if source is not None and 'val' in source.cleaned:
        val = source.cleaned['val']
        hook.update(evaluated=val.images, left_out=len(val.left_out_images))
    config.custom_hooks = [*(config.get('custom_hooks') or []), hook]
