"""What all exported files have, whatever runs them.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.candidates import completed
from effnet_dense.runtimes.inputs import check_images, checked_sizes
from effnet_dense.runtimes.metadata import Metadata

Outputs = dict[str, NDArray[Any]]


class Session:
    """An exported file, ready to run.

    Attributes:
        metadata: The file's.
    """

    metadata: Metadata

    def __call__(
        self, images: NDArray[np.float32], sizes: NDArray[np.float32] | None = None
    ) -> Outputs:
        """Run the network, and in NumPy what a file of post 'dense' leaves out.

        Args:
            images: (N, C, H, W), normalised, of the metadata's size.
            sizes: (N, 2), height and width of each image without padding; None: none is padded.

        Returns:
            The outputs by name; see `Metadata.outputs`.

        Raises:
            ValueError: The images or sizes have another shape or type.
        """
        check_images(images, self.metadata)
        checked = checked_sizes(sizes, images)
        return completed(self._run(images, checked), checked, self.metadata)

    def _run(self, images: NDArray[np.float32], sizes: NDArray[np.float32]) -> Outputs:
        """Run the file itself."""
        raise NotImplementedError
