"""The workloads' functions as torch modules: the reference in f64, peers, the source of ONNX files."""
import torch
import torch.nn as nn
import torch.nn.functional as F

from . import gen


class Fn(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.forward = f


class Linear(nn.Module):
    def __init__(self, bias, gelu):
        super().__init__()
        self.fc, self.gelu = nn.Linear(768, 3072, bias=bias), gelu

    def forward(self, x):
        y = self.fc(x)
        return F.gelu(y) if self.gelu else y


def chain(x, w, b):
    for _ in range(50):
        x = x * w
        x = x + b
    return x


class Block(nn.Module):
    """Transformer block. pre: x + f(ln(x)), else ln(x + f(x)); tanh: the approximate GELU."""
    def __init__(self, d, h, ff, pre, causal, tanh):
        super().__init__()
        self.ln1, self.qkv, self.proj = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.ln2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, ff), nn.Linear(ff, d)
        self.h, self.pre, self.causal, self.approx = h, pre, causal, "tanh" if tanh else "none"

    def attn(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.proj(y.transpose(1, 2).reshape(b, t, d))

    def ffn(self, x):
        return self.down(F.gelu(self.up(x), approximate=self.approx))

    def forward(self, x):
        if self.pre:
            x = x + self.attn(self.ln1(x))
            return x + self.ffn(self.ln2(x))
        x = self.ln1(x + self.attn(x))
        return self.ln2(x + self.ffn(x))


class MiniLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos, self.ln = nn.Embedding(30522, 384), nn.Embedding(128, 384), nn.LayerNorm(384)
        self.blocks = nn.ModuleList([Block(384, 12, 1536, False, False, False) for _ in range(6)])

    def forward(self, ids):
        x = self.ln(self.tok(ids) + self.pos.weight)
        for b in self.blocks:
            x = b(x)
        return x


class GPT2S(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(768, 12, 3072, True, True, True) for _ in range(12)])
        self.ln = nn.LayerNorm(768)

    def forward(self, x):
        for b in self.blocks:
            x = b(x)
        return self.ln(x)


class NanoGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(256, 256), nn.Embedding(128, 256)
        self.blocks = nn.ModuleList([Block(256, 8, 1024, True, True, True) for _ in range(4)])
        self.ln, self.head = nn.LayerNorm(256), nn.Linear(256, 256, bias=False)

    def forward(self, ids):
        x = self.tok(ids) + self.pos.weight
        for b in self.blocks:
            x = b(x)
        return self.head(self.ln(x))


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.f1, self.f2 = nn.Linear(1433, 16), nn.Linear(16, 7)

    def agg(self, x, src, dst, w):
        return torch.zeros(x.shape, dtype=x.dtype).index_add(0, dst, x.index_select(0, src) * w[:, None])

    def forward(self, x, src, dst, w):
        """A(x W^T) + b, relu, A(h W^T) + b, with A the normalised adjacency."""
        h = F.relu(self.agg(x @ self.f1.weight.t(), src, dst, w) + self.f1.bias)
        return self.agg(h @ self.f2.weight.t(), src, dst, w) + self.f2.bias


NETS = {
    "seed": lambda: Fn(lambda x, w: (x + w) * (w + 1)),
    "chain": lambda: Fn(chain),
    "ew_relu": lambda: Fn(lambda x, w, b, s, t: torch.relu(x * w + b) * s + t),
    "ew_gelu": lambda: Fn(lambda x, y: F.gelu(x) * y),
    "softmax": lambda: Fn(lambda x: torch.softmax(x, -1)),
    "layernorm": lambda: Fn(lambda x, g, b: F.layer_norm(x, (x.shape[-1],), g, b)),
    "logsumexp": lambda: Fn(lambda x: torch.logsumexp(x, -1)),
    "sum_axis0": lambda: Fn(lambda x: x.sum(0)),
    "sum_axis1": lambda: Fn(lambda x: x.sum(1)),
    "matmul": lambda: Fn(lambda a, b: a @ b),
    "linear": lambda: Linear(False, False),
    "linear_gelu": lambda: Linear(True, True),
    "net": lambda: Fn(lambda x, w1, b, w2: torch.tanh(x @ w1 + b) @ w2),
    "mlp": lambda: nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                                 nn.Linear(256, 10)),
    "minilm": MiniLM, "gpt2s": GPT2S, "nanogpt": NanoGPT, "gcn": GCN,
}


def make(net):
    m = NETS[net]()
    with torch.no_grad():
        for place, (name, t) in enumerate(m.state_dict().items(), 1):
            t.copy_(torch.from_numpy(gen.weight(name, tuple(t.shape), place)))
    return m


def params(net):
    """name -> array, in the module's order, for peers that write their own network."""
    return {name: t.numpy() for name, t in make(net).state_dict().items()}
