"""The test tree mirrors the package, and test modules share code through `tests/helpers` only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / 'effnet_dense'
MODULES = sorted(TESTS.rglob('*.py'))
SHARED = ('helpers', 'reference')
# Folders that mirror a folder next to the package.
BESIDE = ('benchmarks', 'configs', 'docs', 'tools')
# Folders of cross-cutting tests only.
ALONE = ('adversaries', 'interop')
# Tests of no single module.
CROSS_CUTTING = {
    'adversaries/test_any_option.py',
    'adversaries/test_bad_files.py',
    'adversaries/test_checkpoints.py',
    'adversaries/test_classes.py',
    'adversaries/test_coco_records.py',
    'adversaries/test_config_outputs.py',
    'adversaries/test_config_values.py',
    'adversaries/test_configs.py',
    'adversaries/test_finite_outputs.py',
    'adversaries/test_foreign_files.py',
    'adversaries/test_images.py',
    'adversaries/test_locales.py',
    'adversaries/test_locks.py',
    'adversaries/test_lost_disks.py',
    'adversaries/test_names.py',
    'adversaries/test_native_cache.py',
    'adversaries/test_options.py',
    'adversaries/test_output_paths.py',
    'adversaries/test_outputs.py',
    'adversaries/test_predictor.py',
    'adversaries/test_records_work.py',
    'adversaries/test_resume.py',
    'adversaries/test_saved_settings.py',
    'adversaries/test_urls.py',
    'adversaries/test_user_folders.py',
    'commands/test_runs.py',
    'compat/mmcv_ops/test_calls.py',
    'compat/mmcv_ops/test_cuda.py',
    'compat/test_mmcv_extension.py',
    'data/label_maps/test_training.py',
    'deployment/test_compile.py',
    'engine/test_foreign_checkpoint.py',
    'engine/test_hostile.py',
    'interop/test_inference_apis.py',
    'interop/test_segmentors.py',
    'interop/test_tools.py',
    'lean/test_lean.py',
    'lean/test_lean_detector.py',
    'models/test_cuda.py',
    'models/test_efficientdet_parity.py',
    'models/test_lite_weights.py',
    'models/test_output_stride.py',
    'models/test_parity.py',
    'models/test_plugged_in.py',
    'test_contract.py',
    'test_github.py',
    'test_gpu_forms.py',
    'test_imports.py',
    'test_package.py',
    'test_packaging.py',
    'test_structure.py',
    'test_text_files.py',
    'weights/test_detectors.py',
}


def imports(source: str, path: Path) -> Iterator[str]:
    """Absolute names of what a file's source imports; `from a import b` counts as `a.b`."""
    package = path.relative_to(TESTS.parent).parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = '.'.join([*base, *(node.module or '').split('.')]).strip('.')
            yield from (f'{start}.{alias.name}' for alias in node.names)


def name_of(path: Path) -> str:
    """The path within tests/."""
    return path.relative_to(TESTS).as_posix()


@pytest.mark.parametrize('path', MODULES, ids=name_of)
def test_modules_import_nothing_but_helpers_and_references(path: Path) -> None:
    names = [name.split('.') for name in imports(path.read_text(encoding='utf-8'), path)]
    own = [parts for parts in names if parts[0] == 'tests']
    assert ['.'.join(parts) for parts in own if parts[1] not in SHARED] == []


def test_every_form_of_import_is_seen() -> None:
    source = (
        'import tests.a.test_b\n'
        'from tests.a import conftest, test_b\n'
        'from . import test_c\n'
        'def f():\n'
        '    from ..a.test_b import d\n'
    )
    assert list(imports(source, TESTS / 'room' / 'test_x.py')) == [
        'tests.a.test_b',
        'tests.a.conftest',
        'tests.a.test_b',
        'tests.room.test_c',
        'tests.a.test_b.d',
    ]


def test_every_test_module_has_its_module() -> None:
    found = {name_of(path) for path in MODULES if path.name.startswith('test_')}
    unmatched = {name for name in found if not is_mirrored(name)}
    assert unmatched - CROSS_CUTTING == set(), 'name them after a module, or list them above'
    assert CROSS_CUTTING - unmatched == set(), 'listed above, but absent or named after a module'


def is_mirrored(name: str) -> bool:
    """Whether tests/a/test_x.py has an effnet_dense/a/x.py, an effnet_dense/a/x/ or a folder a/."""
    folder, _, file = name.rpartition('/')
    beside = folder.partition('/')[0] in BESIDE
    module = PACKAGE / folder / file.removeprefix('test_').removesuffix('.py')
    return module.is_dir() or module.with_suffix('.py').is_file() or beside


def test_folders_mirror_folders() -> None:
    """Every package of effnet_dense has a folder of tests, and the others lie beside it."""
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    tested = {path.parent.name for path in TESTS.glob('*/test_*.py')}
    tested |= {path.parent.parent.name for path in TESTS.glob('*/*/test_*.py')}
    assert rooms - tested == set()
    assert tested - rooms == {*BESIDE, *ALONE}
    assert all((TESTS.parent / folder).is_dir() for folder in BESIDE)
