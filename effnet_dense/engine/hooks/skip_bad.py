"""Apply `--skip-bad` during training and testing: replace, list and limit unreadable images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.data.bad_images import read_notes, replace_bad_images
from effnet_dense.data.skipping import DEFAULT_LIMIT, SkipBad
from effnet_dense.registry import HOOKS
from effnet_dense.utils.counted import counted
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import check_free, claim, record, write_output

NOTES = 'skipped_images.jsonl'
LIST = 'skipped_images.json'


@HOOKS.register_module()
class SkipBadHook(Hook):
    """Replace images that cannot be read by the next ones in the dataset's order.

    They are listed in the work folder's skipped_images.json as soon as they occur, and logged at
    the end of each epoch. An evaluation on fewer images logs a warning.

    Args:
        limit: Largest allowed share of bad images in the dataset; one is always allowed.
        evaluated: Number of images to evaluate, including those left out.
        left_out: Number of images that `clean_coco` left out of them.
    """

    def __init__(self, limit: float = DEFAULT_LIMIT, evaluated: int = 0, left_out: int = 0) -> None:
        self.limit = limit
        self.evaluated = evaluated
        self.left_out = left_out
        self.size = 0

    def before_train(self, runner: Runner) -> None:
        """Make the dataset replace images; a resumed run keeps its list.

        Raises:
            FileExistsError: The package did not write the list that the work folder holds.
        """
        notes = Path(runner.work_dir, NOTES)
        check_free([notes, notes.with_name(LIST)])
        barrier()
        if is_main_process() and not runner._resume:
            notes.unlink(missing_ok=True)
            notes.with_name(LIST).unlink(missing_ok=True)
        if is_main_process() and notes.exists():
            claim(notes)  # before the workers append to it
        barrier()
        replace_bad_images(runner.train_dataloader.dataset, notes)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the list if there is a new bad image.

        Raises:
            ValueError: More images are bad than the limit allows; the message lists them all.
        """
        notes = Path(runner.work_dir, NOTES)
        size = notes.stat().st_size if notes.exists() else 0
        if not is_main_process() or size == self.size:
            return
        self.size = size
        bad = read_notes(notes)
        write_output(notes.with_name(LIST), json_text(bad, indent=1))
        total = len(runner.train_dataloader.dataset)
        allowed = SkipBad(notes.parent, self.limit).allowed(total)
        if len(bad) > allowed:
            listed = '\n'.join(f'  {reason}' for reason in bad.values())
            raise ValueError(
                f'{len(bad)} of {counted(total, "image")} cannot be read, --skip-bad leaves out at '
                f'most {allowed} ({self.limit:.0%}):\n{listed}'
            )

    def after_train(self, runner: Runner) -> None:
        """Note the list's content as the package's: one that is edited later is the user's."""
        if is_main_process():
            record(Path(runner.work_dir, NOTES))

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the bad images."""
        bad = read_notes(Path(runner.work_dir, NOTES))
        if bad:
            images = counted(len(bad), 'image')
            were = 'was' if len(bad) == 1 else 'were'
            runner.logger.warning(
                f'epoch {runner.epoch + 1}: {images} cannot be read and {were} replaced '
                f'by others: {", ".join(bad)}'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Warn if the metric does not cover all images."""
        if self.left_out:
            runner.logger.warning(
                f'evaluated on {self.evaluated - self.left_out} of '
                f'{counted(self.evaluated, "image")}: {self.left_out} cannot be used, see '
                'skipped_val.json'
            )

    after_test_epoch = after_val_epoch
