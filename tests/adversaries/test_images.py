"""Images that are deep, turned, have further bands or another size than their annotations say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.registry import DATASETS
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from effnet_dense.data import CocoSplit, LoadImageFromFile, check_coco
from effnet_dense.data.bad_images import read_notes, replace_bad_images
from effnet_dense.data.coco.clean import clean_coco
from effnet_dense.data.decoding import decode, turn
from effnet_dense.data.image_errors import ImageSizeError
from effnet_dense.data.skipping import SkipBad
from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor, as_bgr, infer, read_image
from effnet_dense.utils import once
from tests.helpers.image_files import encode, open_image, quadrants, save_turned, tiff
from tests.helpers.label_folder import write_folder, write_image
from tests.helpers.tiny import SIZE, write_data
from tests.helpers.tiny_models import DETECTOR, SEGMENTOR, detector, saved
from tests.helpers.tool import call
from tests.helpers.versions import assert_drawn

NOISE = np.random.default_rng(0).integers(0, 65536, (SIZE, SIZE, 4), dtype=np.uint16)
BYTES = (NOISE >> 8).astype(np.uint8)
TWELVE = NOISE[..., 0] >> 4


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[str]]:
    """Return the warnings logged until now, by this process and its workers."""
    file = tmp_path / 'said.txt'
    file.touch()

    def log(text: str, *_: Any) -> None:
        with file.open('a', encoding='utf-8') as lines:
            lines.write(f'{text}\n')

    monkeypatch.setattr(once, 'print_log', log)
    return lambda: file.read_text(encoding='utf-8').splitlines()


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector with random weights."""
    return saved(detector(), tmp_path_factory.mktemp('weights') / 'epoch_1.pth')


# Values


def test_12_bits_in_16(tmp_path: Path, said: Callable[[], list[str]]) -> None:
    """Nearly black by default, which is said; by the stated range, as bright as they are."""
    path = tmp_path / 'a.png'
    path.write_bytes(encode('.png', TWELVE))
    sources: dict[str, Any] = {
        'path': path,
        'array': TWELVE,
        'PIL image': open_image(path.read_bytes()),
    }
    for name, source in sources.items():
        np.testing.assert_array_equal(as_bgr(source)[..., 0], TWELVE // 256)
        assert 'use less than a sixteenth of the range 0 to 65535' in said()[-1]
        assert 'image_range=4095' in said()[-1] and (name in said()[-1] or str(path) in said()[-1])
    assert len(said()) == 3
    for source in sources.values():
        np.testing.assert_array_equal(as_bgr(source, 4095)[..., 0], TWELVE // 16)
    loader = TRANSFORMS.build(dict(type='effnet_dense.LoadImageFromFile', image_range=4095))
    np.testing.assert_array_equal(loader({'img_path': str(path)})['img'][..., 2], TWELVE // 16)
    assert len(said()) == 3


KINDS = st.sampled_from([np.uint8, np.uint16, np.int16, np.int32, np.float32])


@given(kind=KINDS, colours=st.booleans(), largest=st.integers(256, 32767), seed=st.integers(0, 99))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_path_array_and_pil_are_one_image(
    kind: Any, colours: bool, largest: int, seed: int, tmp_path: Path, said: Any
) -> None:
    draw = np.random.default_rng(seed)
    shape = (6, 10, 3) if colours else (6, 10)
    values = draw.integers(
        0, min(largest, np.iinfo(kind).max if kind != np.float32 else largest) + 1, shape
    )
    path = tmp_path / 'a.tif'
    path.write_bytes(tiff(values.astype(kind)))
    array = values.astype(kind)[..., ::-1] if colours else values.astype(kind)
    expected = as_bgr(array, largest)
    assert expected.shape == (6, 10, 3) and expected.dtype == np.uint8
    np.testing.assert_array_equal(as_bgr(path, largest), expected)
    if not colours or kind == np.uint8:  # Pillow has no deep colours
        np.testing.assert_array_equal(as_bgr(Image.open(path), largest), expected)


def test_every_mode_of_pillow() -> None:
    grey, colours = Image.fromarray(BYTES[..., 0].copy()), Image.fromarray(BYTES[..., :3].copy())
    plain: dict[str, Image.Image] = {
        'L': grey,
        'RGB': colours,
        **{mode: colours.convert(mode) for mode in ('1', 'P', 'CMYK', 'YCbCr', 'HSV', 'RGBX')},
    }
    for mode, image in plain.items():
        assert image.mode == mode
        expected = np.asarray(image.convert('RGB'))[..., ::-1]
        np.testing.assert_array_equal(as_bgr(image), expected, err_msg=mode)
        np.testing.assert_array_equal(as_bgr(image, 4095), expected, err_msg=f'{mode} of 12 bits')
    repeated = np.repeat(BYTES[..., :1], 3, axis=2)
    with_alpha = {'LA': grey, 'RGBA': colours, 'PA': colours.convert('P')}
    for mode, image in with_alpha.items():
        transparent = image.convert(mode)
        transparent.putalpha(100)
        assert transparent.mode == mode
        np.testing.assert_array_equal(as_bgr(transparent), as_bgr(image), err_msg=mode)
    deep = np.repeat((NOISE[..., :1] >> 8).astype(np.uint8), 3, axis=2)
    for values in (NOISE[..., 0], NOISE[..., 0].astype(np.int32), NOISE[..., 0].astype('>u2')):
        np.testing.assert_array_equal(as_bgr(Image.fromarray(values)), deep)
    floats = Image.fromarray(BYTES[..., 0].astype(np.float32))
    np.testing.assert_array_equal(as_bgr(floats, 255), repeated)
    with pytest.raises(ValueError, match='expected values from 0 to 1 in an image of float32'):
        as_bgr(floats)


def test_16_bit_colours_that_pillow_has_cut(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(encode('.png', NOISE[..., :3]))
    np.testing.assert_array_equal(as_bgr(Image.open(path)), as_bgr(path))
    assert as_bgr(path, 65535).tolist() == as_bgr(NOISE[..., :3]).tolist()
    with pytest.raises(ValueError, match='Pillow reads only the upper 8 bits of 16-bit colours'):
        as_bgr(Image.open(path), 4095)


def test_arrays_of_every_type() -> None:
    grey = BYTES[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    same = (grey, grey[..., None], grey.astype(np.uint16) * 257, grey / 255, np.float16(grey / 255))
    for array in same:
        assert abs(as_bgr(array).astype(int) - expected).max() <= 1, array.dtype
    np.testing.assert_array_equal(as_bgr(grey > 99), np.where(expected > 99, 255, 0))
    np.testing.assert_array_equal(as_bgr(BYTES[..., 2::-1]), BYTES[..., 2::-1])
    with pytest.raises(ValueError, match='are NaN or infinite'):
        as_bgr(np.full((4, 4), np.nan))
    for wrong in (np.zeros((4, 4, 5)), np.zeros(4), np.zeros((0, 4)), np.zeros((1, 4, 4, 3))):
        with pytest.raises(ValueError, match='expected an image as an array'):
            as_bgr(wrong)


def test_nan_in_a_file_names_it(tmp_path: Path) -> None:
    values = np.full((6, 8), 0.5, np.float32)
    values[0, :3] = np.nan
    (tmp_path / 'nan.tif').write_bytes(tiff(values))
    with pytest.raises(ValueError, match=r'nan\.tif: 3 of 48 values are NaN or infinite'):
        read_image(tmp_path / 'nan.tif', 1)


def test_images_that_pillow_refuses_are_bad_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_turned(tmp_path / 'a.avif', Image.fromarray(BYTES[..., :3].copy()), 6)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    for options in ({}, dict(imdecode_backend='pillow')):
        with pytest.raises(ValueError, match=r'cannot decode image .*a\.avif: Image size'):
            LoadImageFromFile(**options)({'img_path': str(path)})
    path = save_turned(tmp_path / 'a.jpg', Image.fromarray(BYTES[:9, :, :3].copy()), 1)
    with pytest.raises(ImageSizeError, match='its record says 9 × 64'):
        LoadImageFromFile()({'img_path': str(path), 'width': 9, 'height': 64})


# Bands


FOUR = {
    'alpha.png': encode('.png', BYTES),
    'deep.png': encode('.png', NOISE),
    'infrared.tif': tiff(BYTES),
    'deep.tif': tiff(NOISE),
    'alpha.webp': encode('.webp', BYTES),
    'alpha.avif': encode('.avif', BYTES),
}


@pytest.mark.parametrize('name', FOUR)
def test_a_dropped_band_is_said_once(name: str, tmp_path: Path, said: Any) -> None:
    path = tmp_path / name
    path.write_bytes(FOUR[name])
    loader = LoadImageFromFile()
    for _ in range(3):
        assert loader({'img_path': str(path)})['img'].shape == (SIZE, SIZE, 3)
    (line,) = said()
    assert str(path) in line and 'is dropped' in line


def test_of_arrays_and_pil_images_too(weights: Path, said: Any) -> None:
    predictor = Predictor(detector(), weights, 'cpu')
    expected = predictor(BYTES[..., :3]).pred_instances
    for image in (BYTES, Image.fromarray(BYTES[..., [2, 1, 0, 3]].copy())):
        assert torch.equal(predictor(image).pred_instances.scores, expected.scores)
    (line,) = said()
    assert 'fourth band (alpha or near infrared) is dropped' in line


class Files(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Loads the same file again and again."""

    def __init__(self, path: Path) -> None:
        self.path, self.load = str(path), LoadImageFromFile()

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> int:
        return int(self.load({'img_path': self.path})['img'].shape[2])


def test_workers_say_it_once(tmp_path: Path, said: Any) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(FOUR['alpha.png'])
    dataset = Files(path)
    loader = DataLoader(dataset, 1, num_workers=1, multiprocessing_context='fork')
    for _ in range(3):  # each epoch has a new worker
        assert sum(int(batch.sum()) for batch in loader) == 36
    assert dataset[0] == 3
    assert len(said()) == 1


# Predictors


def test_predictors_take_a_range(weights: Path, tmp_path: Path, said: Any) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(encode('.png', TWELVE))
    ready = np.repeat((TWELVE // 16).astype(np.uint8)[..., None], 3, axis=2)
    predictor = Predictor(detector(), weights, 'cpu', image_range=4095)
    config = detector()
    config.test_dataloader.dataset.pipeline[0].image_range = 4095
    for model in (predictor, Predictor(config, weights, 'cpu')):
        expected = model(ready).pred_instances.scores
        for image in (path, TWELVE, Image.open(path)):
            assert torch.equal(model(image).pred_instances.scores, expected)
    assert not said()
    dark = Predictor(config, weights, 'cpu', image_range=65535)(path).pred_instances.scores
    assert not torch.equal(dark, expected), 'the argument precedes the config'
    assert len(said()) == 1
    with pytest.raises(ValueError, match='expected image_range as the largest value'):
        Predictor(detector(), weights, 'cpu', image_range=0)


def test_small_ranges_are_applied_once(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'in'
    folder.mkdir()
    cv2.imwrite(str(folder / 'a.png'), BYTES[..., :3] >> 4)
    predictor = Predictor(detector(), weights, 'cpu', image_range=15)
    assert infer(predictor, [folder], tmp_path / 'out') == []
    found = json.loads((tmp_path / 'out' / 'predictions.json').read_text(encoding='utf-8'))
    expected = predictor(folder / 'a.png').pred_instances.scores.tolist()
    assert [entry['score'] for entry in found] == pytest.approx(expected, abs=1e-6)


def test_the_tool_takes_a_range(weights: Path, tmp_path: Path, quiet_loggers: None) -> None:
    (tmp_path / 'a.png').write_bytes(encode('.png', TWELVE))
    detector().dump(tmp_path / 'config.py')
    words = [tmp_path / 'config.py', weights, tmp_path / 'a.png', '--device', 'cpu']
    drawn = {}
    for name, more in (('stated', ['--image-range', '4095']), ('default', [])):
        assert call('infer', *words, '--out', tmp_path / name, '--score-thr', 1, *more) == 0
        drawn[name] = cv2.imread(str(tmp_path / name / 'pictures' / 'a.png'))
    assert_drawn(drawn['stated'], np.repeat((TWELVE // 16)[..., None], 3, 2))
    assert drawn['default'].max() == 15


# Sizes and orientations


def coco(folder: Path, count: int, turned: Callable[[int], bool], suffix: str = '.jpg') -> Path:
    """Write a dataset whose annotations ignore that every second image lies on its side."""
    (folder / 'images').mkdir(parents=True)
    image = Image.fromarray(quadrants()).convert('RGB')
    records = []
    for number in range(count):
        name = f'{number:04}{suffix}'
        save_turned(folder / 'images' / name, image, 6 if turned(number) else 1)
        records.append(dict(id=number + 1, file_name=name, width=40, height=24))
    boxes = [
        dict(id=r['id'], image_id=r['id'], category_id=1, bbox=[2, 2, 20, 20], area=400, iscrowd=0)
        for r in records
    ]
    content = dict(images=records, annotations=boxes, categories=[dict(id=1, name='box')])
    (folder / 'train.json').write_text(json.dumps(content), encoding='utf-8')
    return folder


def training_data(folder: Path) -> Any:
    config = load_config(DETECTOR).train_dataloader.dataset
    config.update(
        data_root=str(folder),
        ann_file='train.json',
        data_prefix=dict(img='images'),
        metainfo=dict(classes=('box',)),
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(config)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif', '.avif'])
def test_each_turned_image_is_found_when_it_is_loaded(suffix: str, tmp_path: Path) -> None:
    folder = coco(tmp_path / 'data', 6, lambda number: number % 2 == 1, suffix)
    dataset = training_data(folder)
    for number in range(6):
        if number % 2 == 0:
            assert dataset[number] is not None
            continue
        words = (
            rf'image .*000{number}\{suffix} is 24 × 40 pixels \(width × height\), its record says '
            r'40 × 24: swapped by its EXIF orientation'
        )
        with pytest.raises(ImageSizeError, match=words):
            dataset[number]


def test_every_second_of_600_passes_the_check_but_not_the_loader(tmp_path: Path) -> None:
    folder = coco(tmp_path / 'data', 600, lambda number: number % 2 == 1)
    report = check_coco(CocoSplit(folder / 'train.json', folder / 'images'), evaluated=False)
    assert not report.errors, 'some headers are read, and those are right'
    dataset = training_data(folder)
    replace_bad_images(dataset, tmp_path / 'notes')
    for number in range(0, 600, 7):
        assert Path(dataset[number]['data_samples'].img_path).stem == f'{number + number % 2:04}'
    assert len(read_notes(tmp_path / 'notes')) == len(range(7, 600, 14))


def test_skip_bad_leaves_them_out(tmp_path: Path) -> None:
    folder = coco(tmp_path / 'data', 6, lambda number: number == 3)
    clean = clean_coco(
        'train', CocoSplit(folder / 'train.json', folder / 'images'), SkipBad(tmp_path / 'clean')
    )
    (left_out,) = clean.left_out_images
    assert left_out.name == '0003.jpg' and 'swapped by its EXIF orientation' in left_out.why


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif', '.avif'])
@pytest.mark.parametrize('orientation', [2, 5, 6, 8])
def test_right_records_pass_check_and_loader(suffix: str, orientation: int, tmp_path: Path) -> None:
    """Sizes, pixels in training and pixels in prediction are those of the upright image."""
    folder = coco(tmp_path / 'data', 1, lambda _: False, suffix)
    path = folder / 'images' / f'0000{suffix}'
    save_turned(path, Image.fromarray(quadrants()).convert('RGB'), orientation)
    upright = turn(quadrants(), orientation)
    file = folder / 'train.json'
    content = json.loads(file.read_text(encoding='utf-8'))
    content['images'][0].update(height=upright.shape[0], width=upright.shape[1])
    file.write_text(json.dumps(content), encoding='utf-8')
    assert not check_coco(CocoSplit(file, folder / 'images'), evaluated=False).errors
    dataset = training_data(folder)
    info = dataset.get_data_info(0)
    trained = LoadImageFromFile()(info)['img']
    for image in (trained, as_bgr(path), as_bgr(Image.open(path)), as_bgr(str(path))):
        assert image.shape[:2] == upright.shape
        difference = abs(image[..., 0].astype(int) - upright)
        assert np.percentile(difference, 80) < 12  # JPEG and AVIF blur the edges


def test_prediction_ignores_orientations_as_training_does(weights: Path, tmp_path: Path) -> None:
    path = save_turned(tmp_path / 'a.png', Image.fromarray(quadrants()).convert('RGB'), 6)
    config = detector()
    config.test_dataloader.dataset.pipeline[0].color_type = 'color_ignore_orientation'
    predictor = Predictor(config, weights, 'cpu')
    assert predictor(path).ori_shape == predictor(Image.open(path)).ori_shape == (24, 40)
    assert Predictor(detector(), weights, 'cpu')(path).ori_shape == (40, 24)


@pytest.mark.parametrize('color_type', ['color', 'color_ignore_orientation'])
def test_the_check_reads_the_configs_loader(color_type: str, tmp_path: Path) -> None:
    """A config that trains on images as they are stored needs records of stored images."""
    folder = write_data(tmp_path / 'data')
    path = folder / 'images' / 'train' / '0.png'
    save_turned(path, Image.fromarray(BYTES[:48, :, :3].copy()), 6)
    file = folder / 'annotations' / 'train.json'
    content = json.loads(file.read_text(encoding='utf-8'))
    content['images'][0].update(width=64, height=48)
    file.write_text(json.dumps(content), encoding='utf-8')
    loader = dict(type='effnet_dense.LoadImageFromFile', color_type=color_type)
    config = load_config(DETECTOR)
    config.train_dataloader.dataset.pipeline[0] = loader
    config.dump(tmp_path / 'config.py')
    if color_type == 'color':
        with pytest.raises(ValueError, match='48 × 64, not 64 × 48: swapped by its EXIF'):
            load_config(tmp_path / 'config.py', folder)
    else:
        load_config(tmp_path / 'config.py', folder)


def test_the_check_reads_options_of_the_loader(tmp_path: Path) -> None:
    """Floating-point images have no meaning without a range, which the command line states."""
    folder = write_data(tmp_path / 'data')
    for path in folder.glob('images/*/*.png'):
        path.write_bytes(tiff(np.float32(BYTES[..., :3])))
    options = {
        f'{loop}_dataloader.dataset.pipeline.0.image_range': 255
        for loop in ('train', 'val', 'test')
    }
    config = load_config(DETECTOR, folder, options, tmp_path / 'work', skip_bad=0.05)
    for loop in ('train', 'val', 'test'):
        assert config[f'{loop}_dataloader'].dataset.pipeline[0].image_range == 255
    assert config.custom_hooks[-1].left_out == 0
    with pytest.raises(ValueError, match='expected values from 0 to 1 in an image of float32'):
        load_config(DETECTOR, folder, None, tmp_path / 'other', skip_bad=0.05)


@pytest.mark.parametrize('loader', ['LoadAnnotations', 'effnet_dense.LoadLabelMap'])
def test_label_maps_of_another_size(loader: str, tmp_path: Path) -> None:
    """Also with mmseg's own loader, which compares nothing."""
    folder = write_folder(tmp_path)
    image = folder / 'images' / 'train' / 'a.jpg'
    config = load_config(SEGMENTOR, folder).train_dataloader.dataset
    config.pipeline[1] = dict(type=loader)
    with DefaultScope.overwrite_default_scope('mmseg'):
        dataset = TRANSFORMS.build(dict(type='Compose', transforms=config.pipeline[:2]))
    label_map = folder / 'labels' / 'train' / 'a.png'
    sample = dict(
        img_path=str(image), seg_map_path=str(label_map), seg_fields=[], reduce_zero_label=False
    )
    assert dataset(dict(sample, seg_fields=[]))['gt_seg_map'].shape == (6, 8)
    write_image(image, 9, 8)
    with pytest.raises(
        ImageSizeError, match=r'a\.jpg is 8 × 9 pixels .*, its label map .*a\.png is 8 × 6'
    ):
        dataset(dict(sample, seg_fields=[]))
    save_turned(image, Image.new('RGB', (8, 6)), 6)
    with pytest.raises(ImageSizeError, match='swapped by its EXIF orientation'):
        dataset(dict(sample, seg_fields=[]))


def test_records_that_say_nothing_are_not_compared(tmp_path: Path) -> None:
    path = str(write_image(tmp_path / 'a.jpg', 9, 8))
    for sizes in (
        {},
        dict(width=None, height=None),
        dict(width=0, height=0),
        dict(width=8.0, height=9.0),
    ):
        assert LoadImageFromFile()(dict(img_path=path, seg_map_path='absent.png', **sizes))
    assert LoadImageFromFile(ignore_empty=True)(dict(img_path=path, width=9, height=9)) is None


def test_cielab_by_path_is_that_of_pil(tmp_path: Path) -> None:
    colours = np.zeros((8, 9, 3), np.uint8)
    colours[:4], colours[4:, :5] = (200, 30, 40), (20, 180, 90)
    image = Image.fromarray(colours).convert('LAB')
    image.save(tmp_path / 'lab.tif')
    found = as_bgr(tmp_path / 'lab.tif')
    assert np.array_equal(found, as_bgr(image))
    assert np.abs(found[..., ::-1].astype(int) - colours).max() < 12
    grey = decode((tmp_path / 'lab.tif').read_bytes(), 'grayscale').values
    assert grey.shape == (8, 9)


def test_ranges_of_numpy_and_masked_arrays() -> None:
    array = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    expected = as_bgr(array, 4095)
    for number in (np.int64(4095), np.float64(4095), np.uint16(4095)):
        assert np.array_equal(as_bgr(array, number), expected)
        assert np.array_equal(as_bgr(array, (np.int32(0), number)), expected)
    for wrong in (np.float64('nan'), np.bool_(True), True, (-1e308, 1e308)):
        with pytest.raises(ValueError, match='image_range'):
            as_bgr(array, wrong)
    masked = np.ma.array(np.zeros((4, 4), np.uint8), mask=False)
    assert as_bgr(masked).shape == (4, 4, 3)
    masked[0, 0] = np.ma.masked
    with pytest.raises(ValueError, match='masked values: fill them'):
        as_bgr(masked)
