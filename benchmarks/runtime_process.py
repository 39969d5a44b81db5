"""Time exported files in one process, in turns, which imports a runtime and no framework.

    python -m benchmarks.runtime_process FILE … --runtime openvino --images 1 320 320 --out DIR

Prints the seconds of each file's best run, and writes its outputs to DIR/0.npz, DIR/1.npz, ….
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WARM_UPS = 3
Run = Callable[[], Sequence[Any]]


def draw_images(batch: int, height: int, width: int) -> NDArray[np.float32]:
    """Draw images (N, 3, H, W), the same in every process."""
    return np.random.default_rng(0).standard_normal((batch, 3, height, width), np.float32)


def best_seconds(runs: Sequence[Run], rounds: int) -> list[float]:
    """Return the time of the fastest run of each, in turns, after some that are not timed."""
    seconds: list[list[float]] = [[] for _ in runs]
    generator = random.Random(0)  # no run always follows the same one, which leaves its caches
    for number in range(WARM_UPS + rounds):
        for index in generator.sample(range(len(runs)), len(runs)):
            start = time.perf_counter()
            runs[index]()
            if number >= WARM_UPS:
                seconds[index].append(time.perf_counter() - start)
    return [min(each) for each in seconds]


def onnxruntime_run(path: str, images: NDArray[Any], threads: int) -> Run:
    """Return what runs a file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Else the threads of one file wait in a loop while the next one runs.
    options.add_session_config_entry('session.force_spinning_stop', '1')
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    return lambda: session.run(None, {'images': images})


def openvino_run(path: str, images: NDArray[Any], threads: int) -> Run:
    """Return what runs a file in OpenVINO, in float32."""
    import openvino

    core = openvino.Core()
    settings = dict(
        INFERENCE_NUM_THREADS=threads, PERFORMANCE_HINT='LATENCY', INFERENCE_PRECISION_HINT='f32'
    )
    compiled = core.compile_model(core.read_model(path), 'CPU', settings)
    request = compiled.create_infer_request()

    def run() -> Sequence[Any]:
        request.infer({0: images})
        return [tensor.data for tensor in request.output_tensors]

    return run


RUNTIMES = {'onnxruntime': onnxruntime_run, 'openvino': openvino_run}


def main() -> None:
    """Print the seconds, and write the outputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('files', nargs='+')
    parser.add_argument('--runtime', choices=RUNTIMES, required=True)
    parser.add_argument('--images', nargs=3, type=int, metavar=('N', 'H', 'W'), required=True)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--out', type=Path, required=True, help='folder for the outputs')
    args = parser.parse_args()
    load, images = RUNTIMES[args.runtime], draw_images(*args.images)
    runs = [load(file, images, args.threads) for file in args.files]
    for index, run in enumerate(runs):
        np.savez(args.out / f'{index}.npz', *run())
    print(*best_seconds(runs, args.rounds))


if __name__ == '__main__':
    main()
