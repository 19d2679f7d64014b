"""The PyTorch side of the bench (see pytorch.ts): reads one JSON object a line, answers with one a line.

{"open": n, "work": {...}} prepares work n, {"run": n, "times": k} repeats it, {"close": n} forgets it. The first line
written says who answers and how fast its matrix product is. A work is a training step, an RK4 step or a forward pass of an MLP, or a matrix product, with the
sizes and the content that bench/cases.ts and bench/kernel-works.ts say.
"""

import ctypes
import json
import math
import re
import sys
import time

import torch
from torch import nn

POOL_ROWS = 100_000
ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU, "silu": nn.SiLU, "gelu": nn.GELU, "tanh": nn.Tanh}


def network(net):
    """[t, x] -> hidden layers -> v."""
    widths = [net["dimension"] + 1] + [net["width"]] * net["layers"] + [net["dimension"]]
    layers = []
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if i < len(widths) - 2:
            if net["activation"] == "softplus":
                layers.append(nn.Softplus(beta=net["beta"]))
            else:
                layers.append(ACTIVATIONS[net["activation"]]())
    return nn.Sequential(*layers)


def training_step(net, rows):
    """Batch drawn, forward, loss, backward, clipping by the global norm, Adam, moving average."""
    dimension = net["dimension"]
    model = network(net)
    parameters = list(model.parameters())
    averages = [p.detach().clone() for p in parameters]
    # one launch for all parameters where this version can do that
    options = {"foreach": True} if "foreach" in torch.optim.Adam.__init__.__code__.co_varnames else {}
    adam = torch.optim.Adam(parameters, lr=1e-4, betas=(0.9, 0.999), eps=1e-8, **options)
    pool = torch.randn(POOL_ROWS, dimension)
    decay, spread = math.exp(-0.25), math.sqrt(-math.expm1(-0.5))

    def once():
        left = pool[torch.randint(POOL_ROWS, (rows,))]
        right = decay * left + spread * torch.randn(rows, dimension)
        t = torch.rand(rows, 1)
        target = right - left
        v = model(torch.cat([t, left + t * target], 1))
        loss = nn.functional.mse_loss(v, target)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()
        with torch.no_grad():
            torch._foreach_mul_(averages, 0.999)
            torch._foreach_add_(averages, parameters, alpha=0.001)

    return once


def forward(net, rows):
    model = network(net)
    xt = torch.randn(rows, net["dimension"] + 1)

    def once():
        with torch.inference_mode():
            model(xt)

    return once


def rk4(net, rows):
    model = network(net)
    x = torch.randn(rows, net["dimension"])
    h = 0.125

    def v(y, t):
        return model(torch.cat([torch.full((rows, 1), t), y], 1))

    def once():
        with torch.inference_mode():
            k1 = v(x, 0.0)
            k2 = v(x + h / 2 * k1, h / 2)
            k3 = v(x + h / 2 * k2, h / 2)
            k4 = v(x + h * k3, h)
            return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return once


def mat_mul(work):
    a, b = torch.randn(work["operands"]["a"]), torch.randn(work["operands"]["b"])
    if work["attributes"]["transposeA"]:
        a = a.t()
    if work["attributes"]["transposeB"]:
        b = b.t()
    out = torch.empty(work["operands"]["y"])

    def once():
        torch.matmul(a, b, out=out)

    return once


def opened(work):
    if work["kind"] == "kernel":
        return mat_mul(work)
    return {"step": training_step, "rk4": rk4, "forward": forward}[work["kind"]](work["net"], work["rows"])


def best_threads(once, most):
    """The number of threads that this work is fastest with: small ones lose by more."""
    best = (math.inf, 1)
    for threads in sorted({1, max(1, most // 2), most}):
        torch.set_num_threads(threads)
        once()
        began = time.perf_counter()
        count = 0
        while count < 2 or time.perf_counter() - began < 0.1:
            once()
            count += 1
        best = min(best, ((time.perf_counter() - began) / count, threads))
    return best[1]


def product_speed(threads):
    """GFLOP/s of a 1024 x 1024 x 1024 product, the best of a few."""
    torch.set_num_threads(threads)
    a = torch.randn(1024, 1024)
    a @ a
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return 2 * 1024**3 / best / 1e9


def blas():
    """Who computes the products, where the system tells: the libraries that are loaded (Linux)."""
    if torch.backends.mkl.is_available():
        return "MKL"
    try:
        with open("/proc/self/maps") as maps:
            loaded = {line.split()[-1] for line in maps if re.search("blas|blis|atlas", line)}
    except OSError:
        return ""
    for path in sorted(loaded):
        if "libopenblas" in path:
            config = ctypes.CDLL(path).openblas_get_config
            config.restype = ctypes.c_char_p
            return config().decode()
    return "the reference BLAS" if any(path.endswith("/libblas.so.3") or "/blas/" in path for path in loaded) else ""


def main():
    most = int(sys.argv[1])
    works = {}
    speed = product_speed(most)
    print(json.dumps({"version": torch.__version__, "blas": blas(), "speed": speed}))
    for line in sys.stdin:
        question = json.loads(line)
        answer = {}
        try:
            if "open" in question:
                once = opened(question["work"])
                works[question["open"]] = (once, best_threads(once, most))
                answer["threads"] = works[question["open"]][1]
            elif "run" in question:
                once, threads = works[question["run"]]
                if torch.get_num_threads() != threads:
                    torch.set_num_threads(threads)
                for _ in range(question["times"]):
                    once()
            else:
                del works[question["close"]]
        except Exception as error:  # the other side prints it and ends
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer))


main()
