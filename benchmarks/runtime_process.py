"""Time an exported file in a process of its own, which imports a runtime and no framework.

    python -m benchmarks.runtime_process FILE --runtime onnxruntime --images 1 320 320 --out OUT.npz

Prints the seconds of the best run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WARM_UPS = 3
Run = Callable[[], Sequence[Any]]


def draw_images(batch: int, height: int, width: int) -> NDArray[np.float32]:
    """Draw images (N, 3, H, W), the same in every process."""
    return np.random.default_rng(0).standard_normal((batch, 3, height, width), np.float32)


def best_seconds(run: Run, rounds: int) -> float:
    """Return the time of the fastest run, after some that are not timed."""
    for _ in range(WARM_UPS):
        run()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def onnxruntime_run(path: str, images: NDArray[Any], threads: int) -> Run:
    """Return what runs a file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
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
    parser.add_argument('file')
    parser.add_argument('--runtime', choices=RUNTIMES, required=True)
    parser.add_argument('--images', nargs=3, type=int, metavar=('N', 'H', 'W'), required=True)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--out', required=True, help='outputs, an NPZ file')
    args = parser.parse_args()
    run = RUNTIMES[args.runtime](args.file, draw_images(*args.images), args.threads)
    np.savez(args.out, *run())
    print(best_seconds(run, args.rounds))


if __name__ == '__main__':
    main()
