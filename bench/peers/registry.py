"""Which peers there are: their adaptor, the package that carries their version, their name in tables."""
import importlib.metadata
from dataclasses import dataclass


@dataclass
class Peer:
    adaptor: str                   # adaptors/NAME.py
    package: str                   # of the package index; None: the project itself
    title: str
    needs: tuple = ()              # more packages
    gradients: bool = True


PEERS = {
    "tandem": Peer("tandem_peer", None, "Tandem static"),
    "tandem_eager": Peer("tandem_peer", None, "Tandem eager"),
    "torch": Peer("torch_peer", "torch", "PyTorch", ("numpy",)),
    "torch_compile": Peer("torch_peer", "torch", "torch.compile", ("numpy",)),
    "jax": Peer("jax_peer", "jax", "JAX", ("numpy", "torch")),
    "ort": Peer("ort_peer", "onnxruntime", "ONNX Runtime", ("numpy", "torch", "onnx"), gradients=False),
    "openvino": Peer("openvino_peer", "openvino", "OpenVINO", ("numpy", "torch", "onnx"), gradients=False),
}
OURS = ("tandem", "tandem_eager")


def packages():
    """What --install installs: of every peer, and of the picture."""
    return sorted({x for p in PEERS.values() for x in (p.package, *p.needs) if x} | {"matplotlib"})


def version(package):
    """None where it isn't installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing(name):
    """The packages without which this peer can't run here."""
    p = PEERS[name]
    return [x for x in (p.package, *p.needs) if x and not version(x)]
