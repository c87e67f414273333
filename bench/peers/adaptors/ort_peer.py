"""ONNX Runtime, CPU provider, all graph optimisations (its default)."""
from .. import onnxfile, specs


def load(_variant):
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)


class Job:
    def __init__(self, name, _variant, threads):
        self.path, self.threads, self.inputs = onnxfile.path(name), threads, specs.SPECS[name].inputs()

    def compile(self):
        import onnxruntime as ort
        o = ort.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads = self.threads, 1
        session = ort.InferenceSession(self.path, o, providers=["CPUExecutionProvider"])
        feed = {i.name: x for i, x in zip(session.get_inputs(), self.inputs)}
        self.call = lambda: session.run(None, feed)

    def numpy(self, outputs):
        return outputs
