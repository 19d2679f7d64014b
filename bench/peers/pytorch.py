"""The PyTorch side of the bench (see pytorch.ts): reads one JSON object a line, answers with one a line.

{"open": n, "work": {...}} prepares work n, {"run": n, "times": k} repeats it, {"close": n} forgets it. The first line
written says who answers and how fast its matrix product is. A work is a training step, an RK4 step or a forward pass of an
MLP or a UNet (pytorch_unet.py), a matrix product or a convolution, with the sizes and the content that bench/cases.ts,
bench/kernel-works.ts and bench/picture-works.ts say. {"check": {...}} computes with given numbers, for a test.

    pytorch.py THREADS [--device cuda] [--compile] [--tf32] [--bf16]

--compile hands the step to torch.compile (on CUDA as a graph that is launched as a whole), --tf32 allows products and
convolutions of float32 to round their factors, --bf16 runs forward and backward under autocast.
"""

import argparse
import contextlib
import ctypes
import json
import math
import re
import sys
import time

import torch
from torch import nn

from pytorch_unet import UNet

options = argparse.ArgumentParser()
options.add_argument("threads", type=int)
options.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
options.add_argument("--compile", action="store_true")
options.add_argument("--tf32", action="store_true")
options.add_argument("--bf16", action="store_true")
settings = options.parse_args()
CUDA = settings.device == "cuda"
if CUDA and not torch.cuda.is_available():
    sys.exit("this PyTorch has no CUDA device")
if settings.compile and not hasattr(torch, "compile"):
    sys.exit("this PyTorch has no torch.compile: 2.0 brought it")
if CUDA:
    torch.set_default_device("cuda")
    torch.backends.cuda.matmul.allow_tf32 = settings.tf32
    torch.backends.cudnn.allow_tf32 = settings.tf32
    # the fastest algorithm of each convolution, as training loops ask for
    torch.backends.cudnn.benchmark = True


def synchronise():
    """Waits for what was launched; on the processor nothing is left."""
    if CUDA:
        torch.cuda.synchronize()


def narrow():
    """Where products take bfloat16, where that was asked for."""
    return torch.autocast(settings.device, dtype=torch.bfloat16) if settings.bf16 else contextlib.nullcontext()


# torch.compile has no use for tensors that no later gradient may see
without_gradients = torch.no_grad if settings.compile else torch.inference_mode


def compiled(work):
    """A function of tensors, handed to torch.compile where that was asked for."""
    if not settings.compile:
        return work
    return torch.compile(work, mode="reduce-overhead" if CUDA else "default")


POOL_ROWS = 100_000
POOL_PICTURES = 10_000
ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU, "silu": nn.SiLU, "gelu": nn.GELU, "tanh": nn.Tanh}


def mlp(net):
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


class Points:
    """Rows of an MLP: x [B, D], t [B, 1]."""

    formats = (None,)

    def __init__(self, net, _):
        self.dimension = net["dimension"]
        self.model = mlp(net)

    def shape(self, rows):
        return (rows, self.dimension)

    def times(self, rows):
        return (rows, 1)

    def velocity(self, x, t):
        return self.model(torch.cat([t, x], 1))

    def pool(self):
        pool = torch.randn(POOL_ROWS, self.dimension)
        return lambda rows: pool[torch.randint(POOL_ROWS, (rows,))]

    def laid(self, x):
        return x


class Pictures:
    """Pictures of a UNet: x [B, C, H, W], t [B, 1, 1, 1]; in one of PyTorch's two layouts."""

    formats = (torch.contiguous_format, torch.channels_last)

    def __init__(self, net, memory_format):
        spec = net["spec"]
        self.extents = (spec["channels"], spec["height"], spec["breadth"])
        self.format = memory_format
        self.model = UNet(spec).to(memory_format=memory_format)

    def shape(self, rows):
        return (rows, *self.extents)

    def times(self, rows):
        return (rows, 1, 1, 1)

    def velocity(self, x, t):
        return self.model(x, t.flatten())

    def pool(self):
        """Bytes, scaled to [-1, 1] when they are drawn."""
        pool = torch.randint(256, (POOL_PICTURES, *self.extents), dtype=torch.uint8)
        return lambda rows: (pool[torch.randint(POOL_PICTURES, (rows,))].float() - 127.5) / 127.5

    def laid(self, x):
        return x.contiguous(memory_format=self.format)


class Training:
    """Adam with clipping by the global norm and a moving average."""

    def __init__(self, model, rate=1e-4):
        self.parameters = list(model.parameters())
        self.averages = [p.detach().clone() for p in self.parameters]
        # one launch for all parameters where this version can do that
        options = {"foreach": True} if "foreach" in torch.optim.Adam.__init__.__code__.co_varnames else {}
        self.adam = torch.optim.Adam(self.parameters, lr=rate, betas=(0.9, 0.999), eps=1e-8, **options)

    def learn(self, v, target):
        return self.descend(nn.functional.mse_loss(v, target))

    def descend(self, loss):
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        with torch.no_grad():
            torch._foreach_mul_(self.averages, 0.999)
            torch._foreach_add_(self.averages, self.parameters, alpha=0.001)
        return loss


def training_step(field, rows):
    """Batch drawn, forward, loss, backward, clipping by the global norm, Adam, moving average."""
    training = Training(field.model)
    draw = field.pool()
    decay, spread = math.exp(-0.25), math.sqrt(-math.expm1(-0.5))

    def loss_of(left, noise, t):
        right = decay * left + spread * noise
        target = right - left
        x = field.laid(left + t * target)
        with narrow():
            v = field.velocity(x, t)
        return nn.functional.mse_loss(v.float(), target)

    # forward and backward become one graph; Adam is one launch for all parameters anyway
    loss_of = compiled(loss_of)

    def once():
        training.descend(loss_of(draw(rows), torch.randn(field.shape(rows)), torch.rand(field.times(rows))))

    return once


def forward(field, rows):
    x = field.laid(torch.randn(field.shape(rows)))
    t = torch.full(field.times(rows), 0.5)
    velocity = compiled(field.velocity)

    def once():
        with without_gradients(), narrow():
            velocity(x, t)

    return once


def rk4(field, rows):
    x = field.laid(torch.randn(field.shape(rows)))
    h = 0.125

    def v(y, t):
        with narrow():
            return field.velocity(y, torch.full(field.times(rows), t)).float()

    def step(x):
        k1 = v(x, 0.0)
        k2 = v(x + h / 2 * k1, h / 2)
        k3 = v(x + h / 2 * k2, h / 2)
        k4 = v(x + h * k3, h)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    step = compiled(step)

    def once():
        with without_gradients():
            step(x)

    return once


def convolution(work, memory_format):
    """A 3 x 3 convolution with bias, or one of its two gradients. The bench's extents have their channels last."""
    operands = work["operands"]

    def pictures(name):
        batch, height, breadth, channels = operands[name]
        return torch.randn(batch, channels, height, breadth).contiguous(memory_format=memory_format)

    def filters(name):
        height, breadth, channels, outputs = operands[name]
        return torch.randn(outputs, channels, height, breadth).contiguous(memory_format=memory_format)

    if work["kernel"] == "conv2d":
        x, weight, bias = pictures("x"), filters("weight"), torch.randn(operands["bias"])

        def once():
            with torch.inference_mode():
                nn.functional.conv2d(x, weight, bias, padding=1)

        return once
    of_input = work["kernel"] == "conv2d_backward_input"
    dy = pictures("dy")
    x = torch.empty_like(pictures("dx")) if of_input else pictures("x")
    weight = filters("weight" if of_input else "dweight")
    mask = [True, False, False] if of_input else [False, True, True]

    def backward():
        with torch.inference_mode():
            torch.ops.aten.convolution_backward(
                dy, x, weight, [dy.shape[1]], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask
            )

    return backward


def mat_mul(work):
    of = torch.bfloat16 if settings.bf16 else torch.float32
    a, b = torch.randn(work["operands"]["a"]).to(of), torch.randn(work["operands"]["b"]).to(of)
    if work["attributes"]["transposeA"]:
        a = a.t()
    if work["attributes"]["transposeB"]:
        b = b.t()
    out = torch.empty(work["operands"]["y"], dtype=of)

    def once():
        torch.matmul(a, b, out=out)

    return once


def candidates(work):
    """The ways in which a work can be laid out, each prepared when it is asked for."""
    if work["kind"] == "kernel":
        if work["kernel"] == "mat_mul":
            return [lambda: mat_mul(work)]
        return [lambda f=f: convolution(work, f) for f in Pictures.formats]
    net = work["net"]
    of = Pictures if net["kind"] == "unet" else Points
    prepare = {"step": training_step, "rk4": rk4, "forward": forward}[work["kind"]]
    return [lambda f=f: prepare(of(net, f), work["rows"]) for f in of.formats]


def seconds(once):
    """Of one repetition, after one that warms up; short ones are repeated."""
    if CUDA or settings.compile:
        # kernels are looked for and compiled, and graphs recorded, in the first three
        for _ in range(3):
            once()
        synchronise()
    began = time.perf_counter()
    once()
    synchronise()
    least = 1 if time.perf_counter() - began > 0.2 else 2
    began = time.perf_counter()
    count = 0
    while count < least or time.perf_counter() - began < 0.1:
        once()
        synchronise()
        count += 1
    return (time.perf_counter() - began) / count


def opened(work, most):
    """The fastest of the layouts and numbers of threads: small works lose by more threads, long ones never do."""
    best = None
    for prepare in candidates(work):
        once = prepare()
        for threads in [most] if CUDA else sorted({1, max(1, most // 2), most}, reverse=True):
            torch.set_num_threads(threads)
            took = seconds(once)
            if best is None or took < best[0]:
                best = (took, once, threads)
            if took > 0.1:
                break
    return best[1:]


def check(question):
    """Velocity of a UNet with given parameters, and the losses of two steps on one batch."""
    net = question["net"]
    results = {}
    for name, memory_format in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        field = Pictures(net, memory_format)
        given = {p["name"]: torch.tensor(p["values"]).reshape(p["shape"]) for p in question["parameters"]}
        field.model.load_state_dict(given)
        rows = len(question["t"])
        x = field.laid(torch.tensor(question["x"]).reshape(field.shape(rows)))
        target = torch.tensor(question["target"]).reshape(field.shape(rows))
        t = torch.tensor(question["t"]).reshape(field.times(rows))
        with torch.inference_mode():
            velocity = field.velocity(x, t).flatten().tolist()
        training = Training(field.model, question["rate"])
        losses = [training.learn(field.velocity(x, t), target).item() for _ in range(2)]
        results[name] = {"velocity": velocity, "losses": losses}
    return results


def product_speed(threads):
    """GFLOP/s of a 1024 x 1024 x 1024 product, the best of a few."""
    torch.set_num_threads(threads)
    a = torch.randn(1024, 1024)
    a @ a
    best = math.inf
    for _ in range(5):
        synchronise()
        began = time.perf_counter()
        a @ a
        synchronise()
        best = min(best, time.perf_counter() - began)
    return 2 * 1024**3 / best / 1e9


def blas():
    """Who computes the products, where the system tells: the libraries that are loaded (Linux)."""
    if CUDA:
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
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
    most = settings.threads
    works = {}
    speed = product_speed(most)
    print(json.dumps({"version": torch.__version__, "blas": blas(), "speed": speed}))
    for line in sys.stdin:
        question = json.loads(line)
        answer = {}
        try:
            if "open" in question:
                works[question["open"]] = opened(question["work"], most)
                answer["threads"] = works[question["open"]][1]
            elif "check" in question:
                answer = check(question["check"])
            elif "run" in question:
                once, threads = works[question["run"]]
                if torch.get_num_threads() != threads:
                    torch.set_num_threads(threads)
                for _ in range(question["times"]):
                    once()
                synchronise()
            else:
                del works[question["close"]]
        except Exception as error:  # the other side prints it and ends
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer))


main()
