"""Settings of a run beyond its config: what `--epochs`, `--image-size` and the like request.

No framework is imported, so that command lines parse quickly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

PRECISIONS = ('fp32', 'fp16', 'bf16')
LOGGERS = ('tensorboard', 'wandb', 'mlflow')
LEAN_LEVELS = (0, 1, 2)
AUTO = 'auto'


@dataclass(frozen=True)
class Settings:
    """What changes a config in all the places that belong together; None leaves the config's.

    Args:
        epochs: Length of the training, with which schedules and intervals scale.
        iterations: The same in steps; not together with `epochs`.
        image_size: (width, height) in pixels of training, testing and prediction.
        batch_size: Images per step and device, or 'auto' for the largest that fits.
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
        loggers: Some of `LOGGERS`.
        compile: Whether the model is compiled.
        cuda_graphs: Whether training replays the network from CUDA graphs.
        reduced_decoding: Whether JPEG images of training are decoded as small as possible.
        harden: Whether training degrades part of its images.
        lean: Level of lean training, 0 to 2.
        device: 'cpu', 'cuda' or 'cuda:1'.

    Raises:
        ValueError: A value is out of range, or two exclude each other.
    """

    epochs: int | None = None
    iterations: int | None = None
    image_size: tuple[int, int] | None = None
    batch_size: int | Literal['auto'] | None = None
    lr: float | None = None
    classes: tuple[str, ...] | None = None
    backbone: str | None = None
    weights: str | None = None
    from_detector: str | None = None
    freeze: int | None = None
    patience: int | None = None
    seed: int | None = None
    precision: str | None = None
    workers: int | None = None
    loggers: tuple[str, ...] = ()
    compile: bool = False
    lean: int | None = None
    device: str | None = None
    cuda_graphs: bool = False
    reduced_decoding: bool = False
    harden: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.iterations is not None:
            raise ValueError('expected epochs or iterations, got both')
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None or (name == 'batch_size' and value == AUTO):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f'{name} must be a whole number, at least {least}, got {value!r:.60}'
                )
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            wrong = [v for v in (value if isinstance(value, tuple) else [value]) if v is not None]
            wrong = [v for v in wrong if v not in allowed]
            if wrong:
                raise ValueError(f'{name} must be of {", ".join(map(str, allowed))}, got {wrong}')

    def __bool__(self) -> bool:
        """Whether anything is set."""
        return self != Settings()

    def given(self) -> dict[str, Any]:
        """Return the settings that differ from their defaults, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }


_LEAST = {
    **{name: 1 for name in ('epochs', 'iterations', 'batch_size', 'patience')},
    **{name: 0 for name in ('freeze', 'seed', 'workers')},
}
_ALLOWED: dict[str, tuple[Any, ...]] = {
    'precision': PRECISIONS,
    'loggers': LOGGERS,
    'lean': LEAN_LEVELS,
}
