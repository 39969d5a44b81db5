"""Train a config from Python, as `effnet-dense train` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal

from mmengine.config import Config

from effnet_dense.api.arguments import named_arguments
from effnet_dense.api.run import Run
from effnet_dense.data.parts import Division
from effnet_dense.data.splitting import VAL_SHARE
from effnet_dense.engine.config import load_config
from effnet_dense.engine.jobs import train as train_config
from effnet_dense.settings import Settings

ImageSize = int | Sequence[int]


@named_arguments
def train(
    config: str | PathLike[str] | Config,
    data: str | PathLike[str] | None = None,
    *,
    work_dir: str | PathLike[str] | None = None,
    resume: bool | str | PathLike[str] = False,
    epochs: int | None = None,
    iterations: int | None = None,
    image_size: ImageSize | None = None,
    batch_size: int | Literal['auto'] | None = None,
    lr: float | None = None,
    classes: Sequence[str] | None = None,
    backbone: str | None = None,
    weights: str | None = None,
    from_detector: str | None = None,
    freeze: int | None = None,
    patience: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    workers: int | None = None,
    loggers: Sequence[str] = (),
    compile: bool = False,
    lean: int | None = None,
    device: str | None = None,
    harden: bool = False,
    val_share: float = VAL_SHARE,
    split_seed: int = 0,
    skip_bad: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """Train a detector or segmentor.

        run = effnet_dense.train('effnet_lite0_retinanet_finetune', data='my_folder', epochs=20)
        print(run.best, run.metrics)
        boxes = run.predictor()('street.jpg').pred_instances.bboxes

    Args:
        config: A path, the name of a shipped config, or a Config, which is not changed.
        data: A folder or ZIP file as annotation tools export it, or 'demo'; its classes and files
            replace the config's. By default the config's own data.
        work_dir: For checkpoints, logs and the report; by default work_dirs/<config's name>.
        resume: Continue the work folder's run from its last checkpoint, or from the named one.
        epochs: Length of the training; schedules and evaluations scale with it.
        iterations: The same in steps.
        image_size: Side, or (width, height), in pixels of training, testing and prediction.
        batch_size: Images per step and device; 'auto' for the largest that fits. The learning
            rate follows it unless `lr` is given.
        lr: Learning rate of the optimizer.
        classes: Names of the data's classes to keep, in this order.
        backbone: Name of an EfficientNet, such as 'b3', with its ImageNet weights.
        weights: Source of the backbone's weights, or 'none'.
        from_detector: Source of a complete model's weights; heads of other classes start anew.
        freeze: Number of the backbone's stages that are not trained.
        patience: Evaluations without a better metric after which training stops.
        seed: Seed of weights, order and augmentation.
        precision: 'fp32', 'fp16' or 'bf16'.
        workers: Processes that load images, per device.
        loggers: Some of 'tensorboard', 'wandb', 'mlflow'.
        compile: Compile backbone, neck and dense heads.
        lean: Level of lean training, 0 to 2.
        device: 'cpu', 'cuda' or 'cuda:1'.
        harden: Degrade part of the training's images, so that noise, blur and fog do less harm.
        val_share: Share of the images that are evaluated, where `data` has no val split.
        split_seed: Seed by which such data are divided.
        skip_bad: Largest share of broken images and annotations that are skipped; by default
            they are an error.
        options: Dotted keys of the config and their values, which override everything else.

    Returns:
        What the work folder holds.

    Raises:
        FileNotFoundError: No such config, data or checkpoint.
        FileExistsError: The work folder has a run, and `resume` is not set, or it is in use.
        ValueError: A value, the config or the data have faults; nothing was trained.
    """
    settings = Settings(
        epochs=epochs,
        iterations=iterations,
        image_size=None if image_size is None else sides(image_size),
        batch_size=batch_size,
        lr=lr,
        classes=None if classes is None else names('classes', classes),
        backbone=backbone,
        weights=weights,
        from_detector=from_detector,
        freeze=freeze,
        patience=patience,
        seed=seed,
        precision=precision,
        workers=workers,
        loggers=names('loggers', loggers),
        compile=compile,
        lean=lean,
        device=device,
        harden=harden,
    )
    loaded = load_config(
        config if isinstance(config, Config) else str(config),
        data=None if data is None else str(data),
        options=options,
        work_dir=None if work_dir is None else str(work_dir),
        skip_bad=skip_bad,
        division=Division(val_share, split_seed),
        settings=settings,
        new=resume is False,
    )
    checkpoint = 'auto' if resume is True else None if resume is False else str(resume)
    train_config(loaded, resume=checkpoint)
    return Run(loaded.work_dir)


def sides(image_size: ImageSize) -> tuple[int, int]:
    """Return (width, height) of a side or of two.

    Raises:
        ValueError: It is neither.
    """
    values = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(values) != 2 or not all(isinstance(v, int) and v is not True for v in values):
        raise ValueError(
            f'image_size must be a side or (width, height) in pixels, got {image_size!r:.60}'
        )
    return values[0], values[1]


def names(argument: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple.

    Raises:
        ValueError: A single text was given, or no texts.
    """
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise ValueError(f'{argument} must be a list of names, got {values!r:.60}')
    return tuple(values)
