#!/usr/bin/env bash
# Set up .venv, train on the demo dataset, evaluate, and draw predictions beside the ground truth.
#   bash tools/demo.sh                  a detector, drawings in work_dirs/demo/pictures
#   bash tools/demo.sh --segmentation   a segmentor, in work_dirs/demo_segmentation/pictures
# Needs Python 3.11 to 3.13, bash, and network access for the installation. Can be run again.
set -euo pipefail
if [ $# -gt 1 ] || { [ $# -eq 1 ] && [ "$1" != --segmentation ]; }; then
  echo "usage: bash tools/demo.sh [--segmentation], got: $*" >&2
  exit 2
fi
cd "$(dirname "$0")/.."
source tools/venv.sh weights
source .venv/bin/activate

# The README's steps with the demo data: draw what training sees, train, evaluate, draw, write the
# report again, predict. Resumes from the last checkpoint if it was interrupted.
#   run_demo CONFIG WORK CHECKPOINT KEY=VALUE...
run_demo() {
  local config=$1 work=$2 checkpoint=$3
  shift 3
  say "drawing what training sees into $work/browse"
  python tools/browse_dataset.py "$config" --data demo --number 9 --out "$work/browse"
  say 'training'
  python tools/train.py "$config" --data demo --work-dir "$work" --resume --cfg-options "$@"
  say 'evaluating, and drawing predictions beside ground truth'
  python tools/test.py "$config" "$work/$checkpoint" --data demo --work-dir "$work" \
    --show-dir "$work/pictures"
  python tools/report.py "$work"
  say "predicting on images without ground truth, into $work/found"
  python tools/infer.py "$config" "$work/$checkpoint" data/demo/images/val --out "$work/found"
  say "done. See $work/report/index.html in a browser, and the drawings in
    $work/pictures (ground truth on the left, predictions on the right) and $work/found"
}

demo_detection() {
  say 'the main config, RetinaNet on EfficientNet-B3: four steps from random weights, and an evaluation (AP is still 0)'
  python tools/train.py configs/effnet_b3_retinanet_coco.py --data demo --work-dir work_dirs/demo_b3 --resume \
    --epochs 1 --image-size 320 --batch-size 2 --workers 2 --weights none \
    --cfg-options default_hooks.logger.interval=2 train_dataloader.dataset.indices=8 val_dataloader.dataset.indices=4 \
      model.test_cfg.score_thr=0.0

  say 'training RetinaNet on EfficientNet-Lite0 (ImageNet weights) on the demo dataset, 8 epochs'
  run_demo configs/effnet_lite0_retinanet_finetune.py work_dirs/demo epoch_8.pth \
    train_cfg.max_epochs=8 train_cfg.val_interval=8 param_scheduler.1.end=8 param_scheduler.1.T_max=6
}

demo_segmentation() {
  # Seven of eight pixels are background: with equal weights, so few steps learn to predict nothing else.
  local steps=180 weights='[0.25,1,1,1,1,1,1]'
  say "training BiFPN segmentation on EfficientNet-Lite0 (ImageNet weights) on the demo dataset, $steps steps"
  run_demo configs/effnet_lite0_bifpn_camvid.py work_dirs/demo_segmentation "iter_$steps.pth" \
    train_cfg.max_iters=$steps train_cfg.val_interval=$steps default_hooks.checkpoint.interval=50 \
    param_scheduler.0.end=20 param_scheduler.1.begin=20 param_scheduler.1.end=$steps \
    "model.decode_head.loss_decode.0.class_weight=$weights"
}

if [ "${1-}" = --segmentation ]; then demo_segmentation; else demo_detection; fi
