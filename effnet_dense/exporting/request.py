"""What the user asks of an export, what is exported, and whether the one can have the other.

All that can be refused is refused here, before anything is traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple, Protocol

from mmdet.models.detectors import TwoStageDetector
from mmengine.logging import print_log

from effnet_dense.exporting.accuracy import METRICS
from effnet_dense.exporting.formats import ANY_SIZE, any_size_trace, maker
from effnet_dense.models import RTDETR
from effnet_dense.runtimes.metadata import Metadata

UNMEASURED = (('detection', 'raw'), ('detection', 'decoded'))
"""Tasks and ends of which no predictions are made."""


class Request(NamedTuple):
    """See the arguments of `exporting.export` of these names."""

    size: tuple[int, int] | None = None
    batch: int | None = None
    post: str | None = None
    format: str = 'onnx'
    precision: str = 'fp32'
    multiple: int | None = None


class Settled(NamedTuple):
    """A request with its defaults filled in.

    Attributes:
        sides: Height and width of the example images, in pixels: those of the file, or `multiple`.
        batch: Images per pass; None: any number.
        post: What the file ends with.
        format, precision, multiple: See `Request`.
    """

    sides: tuple[int, int]
    batch: int | None
    post: str
    format: str
    precision: str
    multiple: int | None


class Subject(Protocol):
    """What is exported.

    Attributes:
        model: The network.
        task: One of `runtimes.metadata.TASKS`.
        channels: Of images.
    """

    model: Any
    task: str
    channels: int

    def default_post(self, posts: Sequence[str]) -> str:
        """Return where the file ends if the user does not say; one of `posts`."""

    def default_multiple(self) -> int | None:
        """Return the multiple of a file without size and multiple; None if it has one size."""

    def sides(self, size: tuple[int, int] | None) -> tuple[int, int]:
        """Return height and width of the file's images.

        Raises:
            ValueError: See `input_size`.
        """

    def check_multiple(self, multiple: int) -> None:
        """Check that a file can take every height and width that are multiples of a number.

        Raises:
            ValueError: It cannot.
        """

    def metadata(self, settled: Settled) -> Metadata:
        """Return the metadata of a file of one size in float32, but for its outputs.

        Raises:
            ValueError: What the metadata need cannot be exported.
        """

    def described(self, outputs: Sequence[str]) -> dict[str, str]:
        """Return what each of the outputs is."""


def settle(subject: Subject, request: Request) -> Settled:
    """Fill in what the user does not say.

    Raises:
        ValueError: The subject cannot be exported so; the message says what can be.
    """
    _check_numbers(request)
    size, batch, _, form, precision, multiple = _plain(request)
    post = _post(subject, request)
    if precision == 'int8':
        check_measurable(subject.model, subject.task, post)
    if batch is None and not maker(form).ANY_BATCH:
        batch = 1
    if size is None and multiple is None and form in ANY_SIZE:
        multiple = subject.default_multiple()
        if multiple is not None:
            print_log(
                'the test pipeline gives images of different sizes: the file takes every height '
                f'and width that are multiples of {multiple} (--size H W: one size)',
                logger='current',
            )
    if multiple is None:
        return Settled(subject.sides(size), batch, post, form, precision, None)
    any_size_trace(form)
    if size is not None:
        raise ValueError(f'expected size or multiple, got both: {size} and {multiple}')
    subject.check_multiple(multiple)
    return Settled((multiple, multiple), batch, post, form, precision, multiple)


def _check_numbers(request: Request) -> None:
    """Check what Python's users may give; the command line reads integers.

    Raises:
        ValueError: A number is no integer of at least 1, or there are not two for the size.
    """
    numbers = dict(batch=request.batch, multiple=request.multiple)
    for name, number in numbers.items():
        if number is not None and not _is_count(number):
            raise ValueError(f'expected {name} to be an integer of at least 1, got {number!r}')
    size: Any = request.size
    pair = isinstance(size, list | tuple) and len(size) == 2 and all(map(_is_count, size))
    if size is not None and not pair:
        raise ValueError(
            f'expected size to be (height, width), two integers of at least 1, got {size!r}'
        )


def _plain(request: Request) -> Request:
    """Return a request with Python's integers, as JSON takes them."""
    size, batch, multiple = request.size, request.batch, request.multiple
    return request._replace(
        size=None if size is None else (int(size[0]), int(size[1])),
        batch=None if batch is None else int(batch),
        multiple=None if multiple is None else int(multiple),
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def check_measurable(model: Any, task: str, post: str) -> None:
    """Check that int8's accuracy can be measured.

    Raises:
        ValueError: It cannot.
    """
    if task not in METRICS or isinstance(model, TwoStageDetector | RTDETR):
        raise ValueError(
            f'int8 is for single-stage detectors without masks and for segmentors, whose accuracy '
            f'is measured, got {type(model).__name__} (try fp16 or int8-weights)'
        )
    if (task, post) in UNMEASURED:
        raise ValueError(f'int8 needs predictions, to measure its accuracy, got post {post}')


def _post(subject: Subject, request: Request) -> str:
    """Return what the graph ends with."""
    form, post = request.format, request.post
    posts = maker(form).POSTS.get(subject.task, ())
    if isinstance(subject.model, RTDETR):  # nothing is suppressed
        posts = tuple(name for name in posts if name != 'decoded')
    complete = isinstance(subject.model, TwoStageDetector | RTDETR)
    if not posts or (complete and 'nms' not in posts):
        raise ValueError(
            f'{type(subject.model).__name__} cannot be exported as {form}, whose files stop at '
            'the predictions of priors, before its masks, second stage or queries (try onnx or '
            'openvino)'
        )
    if post is not None and post not in posts:
        raise ValueError(
            f'expected post to be one of {", ".join(posts)} for a {subject.task} model as {form}, '
            f'got {post!r}'
        )
    return subject.default_post(posts) if post is None else post
