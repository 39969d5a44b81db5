"""Attack the images of batches, and predict on them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from effnet_dense.data.transforms.corruption import image_seed
from effnet_dense.robustness.attacks import fgsm, pgd
from effnet_dense.robustness.pixels import ball_around
from effnet_dense.robustness.truth import loss_gradient, truths_of

PGD_STEPS = 10


@dataclass(frozen=True)
class Attacker:
    """Changes images so that the model's own loss against the ground truth rises.

    Attributes:
        model: In eval mode, with a loss.
        attack: 'fgsm' or 'pgd'.
        epsilon: Radius in grey levels, of 255.
        steps: PGD's number of steps.
        seed: Of PGD's starts, which differ between images.
    """

    model: Any
    attack: str
    epsilon: float
    steps: int = PGD_STEPS
    seed: int = 0

    def step(self, batch: Any) -> list[Any]:
        """Predict on a batch of a data loader, attacked."""
        _, attacked, samples = self.attacked(batch)
        with torch.no_grad():
            found: list[Any] = self.model(attacked, samples, mode='predict')
        return found

    def attacked(self, batch: Any) -> tuple[Tensor, Tensor, list[Any]]:
        """Return a batch's inputs, clean and attacked, (N, 3, h, w), and its data samples."""
        data = self.model.data_preprocessor(batch, False)
        inputs, samples = data['inputs'], data['data_samples']
        truths = truths_of(self.model, samples, inputs)
        ball = ball_around(self.model.data_preprocessor, inputs, samples, self.epsilon)

        def gradient(changed: Tensor) -> Tensor:
            return loss_gradient(self.model, changed, truths)

        if self.attack == 'fgsm':
            return inputs, fgsm(ball, gradient), samples
        return inputs, pgd(ball, gradient, self.steps, self._start(inputs, samples)), samples

    def _start(self, inputs: Tensor, samples: Sequence[Any]) -> Tensor:
        """Return random numbers from −1 to 1, the same for an image in each run."""
        start = torch.empty(inputs.shape)
        for values, sample in zip(start, samples, strict=True):
            seed = image_seed(sample.get('img_id'), sample.get('img_path'), self.seed)
            draw = torch.Generator().manual_seed(zlib.crc32(b'pgd', seed))
            values.uniform_(-1, 1, generator=draw)
        return start.to(inputs)
