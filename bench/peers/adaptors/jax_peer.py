"""JAX under jit. The networks are written here in plain jax.numpy."""
import numpy as np

from .. import onnxfile, specs


def load(_variant):
    import jax
    import jax.numpy  # noqa: F401


def functions(jax):
    jnp = jax.numpy
    lax = jax.lax

    def chain(x, w, b):
        for _ in range(50):
            x = x * w
            x = x + b
        return x

    def layernorm(x, g, b):
        m = x.mean(-1, keepdims=True)
        c = x - m
        return c * lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5) * g + b

    gelu = lambda x: jax.nn.gelu(x, approximate=False)
    return {
        "seed": lambda x, w: (x + w) * (w + 1),
        "chain": chain,
        "ew_relu": lambda x, w, b, s, t: jax.nn.relu(x * w + b) * s + t,
        "ew_gelu": lambda x, y: gelu(x) * y,
        "softmax": lambda x: jax.nn.softmax(x, -1),
        "layernorm": layernorm,
        "logsumexp": lambda x: jax.nn.logsumexp(x, -1),
        "sum_axis0": lambda x: x.sum(0),
        "sum_axis1": lambda x: x.sum(1),
        "matmul": lambda a, b: a @ b,
        "net": lambda x, w1, b, w2: jnp.tanh(x @ w1 + b) @ w2,
    }


def networks(jax):
    """net -> f(p, *inputs), p the dict of nets.params()."""
    jnp, lax, nn = jax.numpy, jax.lax, jax.nn
    ln = functions(jax)["layernorm"]

    def fc(p, k, x):
        y = x @ p[k + ".weight"].T
        return y + p[k + ".bias"] if k + ".bias" in p else y

    def mlp(p, x):
        return fc(p, "4", nn.relu(fc(p, "2", nn.relu(fc(p, "0", x)))))

    def block(p, k, x, h, pre, causal, tanh):
        b, t, d = x.shape

        def attn(x):
            q, kk, v = fc(p, k + "qkv", x).reshape(b, t, 3, h, d // h).transpose(2, 0, 3, 1, 4)
            s = jnp.einsum("bhqd,bhkd->bhqk", q, kk) * ((d // h) ** -0.5)
            if causal:
                s = jnp.where(jnp.tril(jnp.ones((t, t), bool)), s, -jnp.inf)
            y = jnp.einsum("bhqk,bhkd->bhqd", nn.softmax(s, -1), v)
            return fc(p, k + "proj", y.transpose(0, 2, 1, 3).reshape(b, t, d))

        def ffn(x):
            return fc(p, k + "down", nn.gelu(fc(p, k + "up", x), approximate=tanh))
        l1 = lambda x: ln(x, p[k + "ln1.weight"], p[k + "ln1.bias"])
        l2 = lambda x: ln(x, p[k + "ln2.weight"], p[k + "ln2.bias"])
        if pre:
            x = x + attn(l1(x))
            return x + ffn(l2(x))
        x = l1(x + attn(x))
        return l2(x + ffn(x))

    def minilm(p, ids):
        x = ln(p["tok.weight"][ids] + p["pos.weight"], p["ln.weight"], p["ln.bias"])
        for i in range(6):
            x = block(p, f"blocks.{i}.", x, 12, False, False, False)
        return x

    def gpt2s(p, x):
        for i in range(12):
            x = block(p, f"blocks.{i}.", x, 12, True, True, True)
        return ln(x, p["ln.weight"], p["ln.bias"])

    def nanogpt(p, ids):
        x = p["tok.weight"][ids] + p["pos.weight"]
        for i in range(4):
            x = block(p, f"blocks.{i}.", x, 8, True, True, True)
        return ln(x, p["ln.weight"], p["ln.bias"]) @ p["head.weight"].T

    def gcn(p, x, src, dst, w):
        agg = lambda h: jax.ops.segment_sum(h[src] * w[:, None], dst, num_segments=x.shape[0])
        h = nn.relu(agg(x @ p["f1.weight"].T) + p["f1.bias"])
        return agg(h @ p["f2.weight"].T) + p["f2.bias"]

    def linear(p, x):
        return fc(p, "fc", x)

    def linear_gelu(p, x):
        return nn.gelu(fc(p, "fc", x), approximate=False)
    return {f.__name__: f for f in (mlp, minilm, gpt2s, nanogpt, gcn, linear, linear_gelu)}


class Job:
    def __init__(self, name, _variant, threads):
        import jax
        self.jax, self.spec = jax, specs.SPECS[name]
        spec = self.spec
        self.x = [jax.device_put(a.astype(np.int32) if a.dtype == np.int64 else a) for a in spec.inputs()]
        dy = spec.upstream()
        self.dy = None if dy is None else jax.device_put(dy)
        self.params, self.f = None, functions(jax).get(spec.net)
        if not self.f:
            self.params = {k: jax.device_put(v) for k, v in onnxfile.params(spec.net).items()}
            self.f = networks(jax)[spec.net]
        self.call = getattr(self, spec.kind)()

    def forward(self):
        wait, x, p, f = self.jax.block_until_ready, self.x, self.params, self.jax.jit(self.f)
        if p is None:
            return lambda: wait([f(*x)])
        return lambda: wait([f(p, *x)])

    def gradient(self):
        jax, spec, f, x, dy = self.jax, self.spec, self.f, self.x, self.dy

        def vjp(dy, *x):
            def part(*v):
                full = list(x)
                for i, t in zip(spec.wrt, v):
                    full[i] = t
                return f(*full)
            y, back = jax.vjp(part, *[x[i] for i in spec.wrt])
            return ([y] if spec.with_forward else []) + list(back(dy))
        g = jax.jit(vjp)
        return lambda: jax.block_until_ready(g(dy, *x))

    def loss_of(self, p, x):
        jax = self.jax
        z = self.f(p, *x[:-1])
        z, y = z.reshape(-1, z.shape[-1]), x[-1].reshape(-1)
        return -jax.numpy.take_along_axis(jax.nn.log_softmax(z, -1), y[:, None], -1).mean()

    def sgd(self, state, x):
        loss, g = self.jax.value_and_grad(self.loss_of)(state[0], x)
        return loss, (self.jax.tree.map(lambda p, g: p - self.spec.opt["lr"] * g, state[0], g),)

    def adamw(self, state, x):
        o, tree, sqrt = self.spec.opt, self.jax.tree.map, self.jax.numpy.sqrt
        p, m, v, t = state
        loss, g = self.jax.value_and_grad(self.loss_of)(p, x)
        t = t + 1
        m = tree(lambda m, g: o["b1"] * m + (1 - o["b1"]) * g, m, g)
        v = tree(lambda v, g: o["b2"] * v + (1 - o["b2"]) * g * g, v, g)
        c1, c2 = 1 - o["b1"] ** t, 1 - o["b2"] ** t
        decay, rate = 1 - o["lr"] * o["wd"], o["lr"] / c1
        p = tree(lambda p, m, v: p * decay - rate * m / (sqrt(v / c2) + o["eps"]), p, m, v)
        return loss, (p, m, v, t)

    def train(self):
        jax, x = self.jax, self.x
        if self.spec.opt["kind"] == "sgd":
            step, self.now = self.sgd, (self.params,)
        else:
            zeros = [jax.tree.map(jax.numpy.zeros_like, self.params) for _ in range(2)]
            step, self.now = self.adamw, (self.params, *zeros, jax.numpy.zeros((), jax.numpy.float32))
        self.first = next(iter(self.params))
        step = jax.jit(step, donate_argnums=0)

        def call():
            loss, self.now = step(self.now, x)
            jax.block_until_ready((loss, self.now))
            return [loss]
        return call

    def state(self):
        return [np.asarray(self.now[0][self.first])]

    def numpy(self, outputs):
        return [np.asarray(t) for t in outputs]
