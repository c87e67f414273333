"""The ONNX file of a forward workload, and a network's parameters: written from nets.py when first asked for.

A process of its own writes them into $PEERS_CACHE, so that torch stays out of the peer's memory.
"""
import os
import subprocess
import sys

from . import specs

CACHE = os.environ.get("PEERS_CACHE", "")


def made(file, *what):
    path = os.path.join(CACHE, file)
    if not os.path.exists(path):
        subprocess.run([sys.executable, "-m", "peers.onnxfile", *what], check=True, stdout=subprocess.DEVNULL)
    return path


def path(name):
    return made(name + ".onnx", "model", name)


def params(net):
    """name -> array, in the module's order."""
    import numpy as np
    with np.load(made(net + ".npz", "params", net)) as z:
        return {k: z[k] for k in z.files}


def write_params(net, path):
    import numpy as np
    from . import nets
    with open(path, "wb") as f:
        np.savez(f, **nets.params(net))


def write_model(name, path):
    import torch
    from . import nets
    spec = specs.SPECS[name]
    x = tuple(torch.from_numpy(a) for a in spec.inputs())
    torch.onnx.export(nets.make(spec.net).eval(), x, path, dynamo=False, opset_version=17,
                      input_names=[f"x{i}" for i in range(len(x))], output_names=["y"])


if __name__ == "__main__":
    what, name = sys.argv[1:]
    target = os.path.join(CACHE, name + (".npz" if what == "params" else ".onnx"))
    os.makedirs(CACHE, exist_ok=True)
    (write_params if what == "params" else write_model)(name, target + ".tmp")
    os.replace(target + ".tmp", target)
