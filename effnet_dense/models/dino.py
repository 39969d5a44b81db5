"""mmdet's DINO (Zhang et al. 2022, arXiv:2203.03605) for images of every size.

Shapes: N images, K positions of an image over all levels, D channels.
"""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import DINO as MMDetDINO
from torch import Tensor
from torch.nn import functional

from effnet_dense.registry import MODELS


@MODELS.register_module()
class DINO(MMDetDINO):
    """The same parameters, losses and predictions as mmdet's, whose config it takes.

    DINO chooses its queries among the positions of the features. mmdet's fails where an image has
    fewer: 900 queries need 208 × 208 pixels.
    """

    def gen_encoder_output_proposals(
        self, memory: Tensor, memory_mask: Tensor | None, spatial_shapes: Any
    ) -> tuple[Tensor, Tensor]:
        """Return features and boxes of the positions, at least as many as there are queries.

        Args:
            memory: (N, K, D), the encoder's outputs.
            memory_mask: (N, K), True where a position is padding; None: nowhere.
            spatial_shapes: Height and width of each level.

        Returns:
            Features (N, max(K, queries), D), and boxes (N, max(K, queries), 4) before their
            sigmoid. What is added has the boxes that mmdet gives to positions of padding.
        """
        features, boxes = super().gen_encoder_output_proposals(memory, memory_mask, spatial_shapes)
        missing = max(0, self.num_queries - features.shape[1])
        added = (0, 0, 0, missing)
        return functional.pad(features, added), functional.pad(boxes, added, value=float('inf'))
