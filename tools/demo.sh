#!/usr/bin/env bash
# From nothing to a trained detector: sets up .venv, trains on the embedded data set, evaluates,
# and leaves pictures of predictions beside ground truth in work_dirs/demo/pictures.
# Needs Python 3.11 to 3.13, bash, and a network for the installation. Can be run again.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh weights
source .venv/bin/activate

say 'the main config, RetinaNet on EfficientNet-B3: four steps from random weights, and an evaluation (AP 0 yet)'
python tools/train.py configs/effnet_b3_retinanet_coco.py --data demo --work-dir work_dirs/demo_b3 \
  --cfg-options model.backbone.init_cfg=None train_cfg.max_epochs=1 default_hooks.logger.interval=2 \
    'model.data_preprocessor.batch_augments.0.size=(320,320)' \
    'train_dataloader.dataset.pipeline.2.scale=(320,320)' \
    'train_dataloader.dataset.pipeline.3.crop_size=(320,320)' \
    'val_dataloader.dataset.pipeline.1.scale=(320,320)' \
    train_dataloader.dataset.indices=8 train_dataloader.batch_size=2 train_dataloader.num_workers=2 \
    val_dataloader.dataset.indices=4 model.test_cfg.score_thr=0.0

config=configs/effnet_lite0_retinanet_finetune.py
work=work_dirs/demo

say 'training RetinaNet on EfficientNet-Lite0 (ImageNet weights) on the demo data set, 8 epochs'
# Goes on from its last checkpoint when it was interrupted.
python tools/train.py "$config" --data demo --work-dir "$work" --resume auto --cfg-options \
  train_cfg.max_epochs=8 train_cfg.val_interval=8 param_scheduler.1.end=8 param_scheduler.1.T_max=6

say 'evaluating, and drawing predictions beside ground truth'
python tools/test.py "$config" "$work/epoch_8.pth" --data demo --work-dir "$work" \
  --show-dir "$work/pictures"

say "done. Look at $work/pictures: ground truth on the left, predictions on the right"
