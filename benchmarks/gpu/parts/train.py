"""Trainings as users start them: precisions, graphs, compilation, DDP with SyncBN; losses fall."""

from __future__ import annotations

import time

from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.processes import FINISHED, run_limited
from benchmarks.gpu.record import Record
from benchmarks.gpu.trainings import Training, read_log, run_training, summary
from effnet_dense.utils.outputs import claim

TRAININGS = (
    Training('D0 bf16'),
    Training('D0 fp16', precision='fp16', steps=60),
    Training('D0 bf16, DDP of one, SyncBN', processes=True, steps=60),
    Training('D0 bf16, CUDA graphs', options={'cuda_graphs': True}),
    Training('RetinaNet B3 bf16', config='effnet_b3_retinanet_coco', batch=4, steps=60),
    Training('D0 fp32', precision='fp32', steps=60),
    Training('D0 bf16, lean 0', steps=60, settings={'lean': 0}),
    Training('D0 bf16, compiled', settings={'compile': True}),
)
DRY = ('D0 bf16', 'D0 bf16, DDP of one, SyncBN')


def run(conditions: Conditions, record: Record) -> None:
    """Run each in a process of its own, which gets the time that is left."""
    begin = time.perf_counter()
    for training in TRAININGS:
        if conditions.dry and training.name not in DRY:
            continue
        log = claim(conditions.out / 'train-runs.log')
        left = conditions.seconds - (time.perf_counter() - begin)
        if left < 1:
            record.note(f'{training.name}: no time is left.')
            continue
        state = run_limited(left, conditions.dry, log, run_training, training, conditions)
        row = summary(read_log(training.folder(conditions)))
        row |= {} if state == FINISHED else {'state': state}
        images = training.images(conditions)
        record.add('trainings', training=training.name, batch=images, **row)
