"""Evaluate a model from Python, as `effnet-dense test` does."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from mmengine.config import Config

from effnet_dense.api.arguments import named_arguments
from effnet_dense.data.parts import Division
from effnet_dense.data.splitting import VAL_SHARE
from effnet_dense.engine.config import check_source, load_config
from effnet_dense.engine.jobs import check_test_graphs, test
from effnet_dense.engine.run_folder import default_checkpoint
from effnet_dense.inference.exported_testing import evaluate_exported, given_file
from effnet_dense.settings import Settings


@named_arguments
def evaluate(
    model: str | PathLike[str] | Config,
    checkpoint: str | PathLike[str] | None = None,
    data: str | PathLike[str] | None = None,
    *,
    work_dir: str | PathLike[str] | None = None,
    show_dir: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    deploy: bool = False,
    tta: bool | str = False,
    cuda_graphs: bool = False,
    workers: int | None = None,
    device: str | None = None,
    val_share: float = VAL_SHARE,
    split_seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Evaluate a trained model on the test data.

        effnet_dense.evaluate('work_dirs/mine', data='other_folder')
        effnet_dense.evaluate('efficientdet_d0_coco', 'd0.pth', data='coco')
        effnet_dense.evaluate('model.onnx', data='other_folder')

    Args:
        model: A work folder or one of its checkpoints; or, with `checkpoint`, a config; or a file
            of `effnet_dense.export` in its work folder, or with `data`.
        checkpoint: Any source of `effnet_dense.load_weights`, not with a work folder; or an
            exported file.
        data: As in `effnet_dense.train`; by default the training's, or the config's.
        work_dir: For the report and drawings; by default the model's work folder.
        show_dir: Draw every image's prediction beside its ground truth into this folder.
        out: Where to save the predictions: a .pkl file for mmdet, a folder of label maps for mmseg.
        deploy: Evaluate the model that `effnet_dense.deploy` returns.
        tta: Merge the predictions on flipped and resized images; 'nms' or 'wbf' (weighted boxes
            fusion) say how boxes are merged, which is otherwise the config's choice.
        cuda_graphs: On a GPU, run the model's parts from CUDA graphs, for images of one size.
        workers: Processes that load images.
        device: 'cpu', 'cuda' or 'cuda:1'.
        val_share: As in `effnet_dense.train`.
        split_seed: As in `effnet_dense.train`.
        options: Dotted keys of the config and their values, which override everything else.

    Returns:
        The metrics, such as 'coco/bbox_mAP'.

    Raises:
        FileNotFoundError: No such config, checkpoint or data.
        ValueError: The checkpoint is damaged or of another model, the data have faults, or CUDA
            graphs cannot be used.
    """
    file, model = given_file(model, checkpoint, data)
    if file is None and checkpoint is None:
        if isinstance(model, Config):
            raise ValueError('a Config needs a checkpoint: evaluate(config, checkpoint)')
        check_source(str(model))
        checkpoint = default_checkpoint(str(model))
    if cuda_graphs and file is None:  # before data are made
        check_test_graphs(device, bool(tta))
    loaded = load_config(
        model if isinstance(model, Config) else str(model),
        data=None if data is None else str(data),
        options=options,
        work_dir=None if work_dir is None else str(work_dir),
        splits=('val',),
        division=Division(val_share, split_seed),
        settings=Settings(workers=workers, device=device),
    )
    shown, saved = (None if path is None else str(path) for path in (show_dir, out))
    outputs = (shown, saved, deploy, tta, cuda_graphs)
    if file is not None:
        return evaluate_exported(loaded, file, *outputs)
    return test(loaded, str(checkpoint), *outputs)
