#!/usr/bin/env bash
# Train with several processes on this machine, one for each GPU (or on the CPU, over gloo).
#   bash tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT (or MASTER_PORT) on each of them.
# MAX_RESTARTS=3, with --resume: when a process dies, all restart from the last checkpoint.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,5p' "$0" >&2
    exit 2
fi
config=$1
processes=$2
shift 2
nodes=${NNODES:-1}
address=${MASTER_ADDR:-127.0.0.1}
port=${PORT:-${MASTER_PORT:-29500}}
restarts=${MAX_RESTARTS:-0}
rendezvous=(--master-addr="$address" --master-port="$port")
if [ "$restarts" -gt 0 ]; then
    # Restarted processes must find each other again, at the first machine. The store that torchrun
    # would keep has the dead processes' addresses, at which gloo would wait forever.
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    rendezvous=(--max-restarts="$restarts" --rdzv-backend=c10d --rdzv-endpoint="$address:$port"
        --rdzv-id="effnet_dense_$port" --rdzv-conf="is_host=$((${NODE_RANK:-0} == 0))")
fi
exec torchrun \
    --nnodes="$nodes" --node-rank="${NODE_RANK:-0}" --nproc-per-node="$processes" "${rendezvous[@]}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
