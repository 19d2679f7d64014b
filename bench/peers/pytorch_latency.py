"""Calls of an exported policy in PyTorch for one row, timed one by one: `python pytorch_latency.py FOLDER THREADS`.

Answers a line of JSON {"calls": n, "evaluations": k, "cond": [...]} with {"ms": [...]}. Only the networks and Euler's steps
between them are in a call: no scaler, no seeding, no list of evaluations in Python.
"""

import json
import sys
import time

import torch

folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
sys.path.insert(0, folder)
from model import LocalFlow  # noqa: E402

flow = LocalFlow(folder)
network = flow.sub_flows[0]
D = 1
for extent in flow.config["row_shape"]:
    D *= extent


@torch.inference_mode()
def call(told, evaluations):
    y = torch.randn(1, D)
    for k in range(evaluations):
        y = y - network(1 - k / evaluations, y, told) / evaluations
    return y.numpy()


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    told = flow.told(1, cond=[question["cond"]])
    taken = []
    for _ in range(question["calls"]):
        start = time.perf_counter()
        call(told, question["evaluations"])
        taken.append(1000 * (time.perf_counter() - start))
    print(json.dumps({"ms": taken}), flush=True)
