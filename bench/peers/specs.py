"""The workloads as the other libraries are given them: inputs, what is differentiated, the optimiser.

Their names and groups are Tandem's (`tandem bench --list`); that both mean the same function is checked by
fingerprints (reference.py) before anything is timed.
"""
from dataclasses import dataclass
from typing import Callable

from . import gen

MIB = 1 << 20


@dataclass
class Spec:
    net: str                       # the function: nets.py, adaptors/jax_peer.py
    inputs: Callable               # () -> arrays
    wrt: list = None               # a gradient is wanted, of these inputs
    with_forward: bool = True      # and y is an output too
    dy: tuple = None               # shape of the upstream gradient U(77)
    ones: bool = False             # ... which is 1 instead
    opt: dict = None               # a training step is wanted
    bytes: int = None              # least traffic of a workload that memory bounds
    reads: bool = False            # all of it reading
    products: bool = False         # bound by multiply-adds (their count is in reference.json)
    tol: float = 1e-4              # of the fingerprints

    @property
    def kind(self):
        return "train" if self.opt else "gradient" if self.wrt else "forward"

    def upstream(self):
        import numpy as np
        if self.dy is None:
            return None
        return np.ones(self.dy, np.float32) if self.ones else gen.uniform(self.dy, 77)

    @property
    def ceiling(self):
        """The name of the measured ceiling (machine.py) that applies."""
        if self.bytes:
            return "read_64M" if self.reads else "copy_nt_64M"
        return "fma_gflops" if self.products else None


def uniform(*shapes, scale=1.0):
    return lambda: [gen.uniform(s, 101 + i, scale) for i, s in enumerate(shapes)]


def labelled(shape, below):
    return lambda: [gen.uniform(shape, 101), gen.integers(shape[:1], 102, below)]


def scalars():
    import numpy as np
    return [np.array([2.0], np.float32), np.array([1.0], np.float32)]


def chain(n):
    return lambda: [gen.uniform((n,), 101), gen.uniform((n,), 102, 0.01, 1.0), gen.uniform((n,), 103, 0.01)]


def net(m, k, h, n):
    return lambda: [gen.uniform((m, k), 101), gen.uniform((k, h), 102, 0.25), gen.uniform((h,), 103),
                    gen.uniform((h, n), 104, 0.25)]


NODES, EDGES = 2708, 10556


def gcn():
    """x, ends of the edges (loops appended), weights 1 / sqrt(degree degree), labels."""
    import numpy as np
    loops = np.arange(NODES)
    src = np.concatenate([gen.integers((EDGES,), 102, NODES), loops])
    dst = np.concatenate([gen.integers((EDGES,), 103, NODES), loops])
    degree = np.bincount(dst, minlength=NODES).astype(np.float64)
    w = (1.0 / np.sqrt(degree[src] * degree[dst])).astype(np.float32)
    return [gen.uniform((NODES, 1433), 101), src, dst, w, gen.integers((NODES,), 104, 7)]


ROWS, SQUARE, GELU = (4096, 1024), (4096, 4096), (2048, 2048)
RELU = uniform(SQUARE, *[(4096,)] * 4)
NORM = uniform(ROWS, (1024,), (1024,))
SGD = {"kind": "sgd", "lr": 0.1}
ADAMW = {"kind": "adamw", "lr": 3e-4, "b1": 0.9, "b2": 0.95, "eps": 1e-8, "wd": 0.1}

SPECS = {
    "seed_fwd": Spec("seed", scalars),
    "seed": Spec("seed", scalars, wrt=[0, 1], dy=(1,), ones=True),
    **{f"chain_{tag}_fwd": Spec("chain", chain(n)) for tag, n in (("1", 1), ("100", 100), ("10k", 10000))},
    **{f"chain_{tag}_fb": Spec("chain", chain(n), wrt=[0, 1, 2], dy=(n,))
       for tag, n in (("1", 1), ("100", 100), ("10k", 10000))},
    "net16_fb": Spec("net", net(1, 16, 16, 1), wrt=[1, 2, 3], dy=(1, 1)),
    "net64_fb": Spec("net", net(64, 128, 256, 10), wrt=[1, 2, 3], dy=(64, 10)),
    "ew_relu16m": Spec("ew_relu", RELU, bytes=128 * MIB),
    "ew_relu16m_grad": Spec("ew_relu", RELU, wrt=[0], with_forward=False, dy=SQUARE, bytes=192 * MIB),
    "ew_gelu4m": Spec("ew_gelu", uniform(GELU, GELU), bytes=48 * MIB),
    "ew_gelu4m_grad": Spec("ew_gelu", uniform(GELU, GELU), wrt=[0], with_forward=False, dy=GELU,
                           bytes=64 * MIB),
    "softmax": Spec("softmax", uniform(ROWS, scale=4.0), bytes=32 * MIB),
    "softmax_fb": Spec("softmax", uniform(ROWS, scale=4.0), wrt=[0], dy=ROWS, bytes=64 * MIB),
    "layernorm": Spec("layernorm", NORM, bytes=32 * MIB),
    "layernorm_fb": Spec("layernorm", NORM, wrt=[0, 1, 2], dy=ROWS, bytes=64 * MIB),
    "logsumexp": Spec("logsumexp", uniform(ROWS, scale=4.0), bytes=16 * MIB, reads=True),
    "sum_axis0": Spec("sum_axis0", uniform(SQUARE), bytes=64 * MIB, reads=True),
    "sum_axis1": Spec("sum_axis1", uniform(SQUARE), bytes=64 * MIB, reads=True),
    **{f"matmul_{n}": Spec("matmul", uniform((n, n), (n, n)), products=True) for n in (64, 256, 1024)},
    "linear_1": Spec("linear", uniform((1, 768))),     # its weights lie in the cache: no ceiling is its own
    **{f"linear_{m}": Spec("linear", uniform((m, 768)), products=True) for m in (8, 128)},
    "bmm": Spec("matmul", uniform((96, 128, 64), (96, 64, 128)), products=True),
    "linear_gelu": Spec("linear_gelu", uniform((512, 768)), products=True),
    "minilm": Spec("minilm", lambda: [gen.integers((1, 128), 101, 30522)], products=True, tol=1e-3),
    "gpt2s": Spec("gpt2s", uniform((1, 64, 768)), products=True, tol=1e-3),
    "mlp_train_128": Spec("mlp", labelled((128, 784), 10), opt=SGD, products=True, tol=1e-3),
    "mlp_train_8": Spec("mlp", labelled((8, 784), 10), opt=SGD, products=True, tol=1e-3),
    "nanogpt_train": Spec("nanogpt", lambda: [gen.integers((8, 128), seed, 256) for seed in (101, 102)],
                          opt=ADAMW, products=True, tol=2e-3),
    "gcn_train": Spec("gcn", gcn, opt=SGD, products=True, tol=1e-3),
}
