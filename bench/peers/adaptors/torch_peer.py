"""PyTorch: eager, and compiled by inductor.

Compiled: default mode; forward functions with parameters under `freezing` (parameters become constants); a
gradient as one compiled function; a training step as compiled loss, autograd and compiled optimiser step.
"""
from .. import nets, specs


def load(_variant):
    import torch  # noqa: F401


class Job:
    def __init__(self, name, variant, threads, double=False):
        import torch
        self.torch, self.spec = torch, specs.SPECS[name]
        self.compiled = variant == "torch_compile"
        if threads:
            torch.set_num_threads(threads)
        cast = (lambda t: t.double() if t.is_floating_point() else t) if double else (lambda t: t)
        self.net = nets.make(self.spec.net)
        if double:
            self.net = self.net.double()
        self.x = [cast(torch.from_numpy(a)) for a in self.spec.inputs()]
        dy = self.spec.upstream()
        self.dy = None if dy is None else cast(torch.from_numpy(dy))
        if self.compiled:
            import torch._inductor.config as config
            config.force_disable_caches = True
            config.freezing = self.spec.kind == "forward" and any(True for _ in self.net.parameters())
        self.call = getattr(self, self.spec.kind)()

    def maybe_compile(self, f):
        return self.torch.compile(f) if self.compiled else f

    def forward(self):
        torch, net, x = self.torch, self.net.eval(), self.x
        for p in net.parameters():
            p.requires_grad_(False)
        f = self.maybe_compile(net)
        mode = torch.no_grad if self.compiled else torch.inference_mode

        def call():
            with mode():
                return [f(*x)]
        return call

    def gradient(self):
        torch, net, x, dy, spec = self.torch, self.net, self.x, self.dy, self.spec
        if self.compiled:
            def vjp(dy, *x):
                def f(*v):
                    full = list(x)
                    for i, t in zip(spec.wrt, v):
                        full[i] = t
                    return net(*full)
                y, back = torch.func.vjp(f, *[x[i] for i in spec.wrt])
                return ([y] if spec.with_forward else []) + list(back(dy))
            g = torch.compile(vjp)

            def call():
                with torch.no_grad():
                    return g(dy, *x)
            return call
        wrt = [x[i].requires_grad_(True) for i in spec.wrt]

        def call():
            y = net(*x)
            return ([y] if spec.with_forward else []) + list(torch.autograd.grad(y, wrt, dy))
        return call

    def train(self):
        torch, net, o = self.torch, self.net.train(), self.spec.opt
        *x, y = self.x
        y = y.reshape(-1)
        if o["kind"] == "sgd":
            opt = torch.optim.SGD(net.parameters(), lr=o["lr"])
        else:
            opt = torch.optim.AdamW(net.parameters(), lr=o["lr"], betas=(o["b1"], o["b2"]), eps=o["eps"],
                                    weight_decay=o["wd"])

        def loss_of(*a):
            z = net(*a)
            return torch.nn.functional.cross_entropy(z.reshape(-1, z.shape[-1]), y)
        f, step = self.maybe_compile(loss_of), self.maybe_compile(opt.step)

        def call():
            opt.zero_grad(set_to_none=True)
            loss = f(*x)
            loss.backward()
            step()
            return [loss]
        return call

    def state(self):
        return [next(self.net.parameters())]

    def numpy(self, outputs):
        return [t.detach().numpy() for t in outputs]
