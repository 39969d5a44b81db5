"""Save detections to a pickle file (`--out` of tools/test.py)."""

from __future__ import annotations

from typing import Any

from mmdet.evaluation import DumpDetResults
from mmengine import dump

from effnet_dense.utils.outputs import new_output


class DumpDetections(DumpDetResults):
    """mmdet's metric, which replaces no file of others, and its own one atomically."""

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Write the file; there are no metrics.

        Raises:
            FileExistsError: The package did not write the file that has this name.
        """
        with new_output(self.out_file_path) as partial:
            dump(results, str(partial))
        return {}
