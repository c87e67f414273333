"""OpenVINO, CPU plugin, latency hint, f32 (on CPUs with AMX its default would be bf16)."""
from .. import onnxfile, specs


def load(_variant):
    import openvino  # noqa: F401


class Job:
    def __init__(self, name, _variant, threads):
        self.path, self.threads, self.inputs = onnxfile.path(name), threads, specs.SPECS[name].inputs()

    def compile(self):
        import openvino as ov
        core = ov.Core()
        model = core.read_model(self.path)
        model.reshape({i: list(x.shape) for i, x in enumerate(self.inputs)})
        compiled = core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self.threads, "ENABLE_CPU_PINNING": False})
        request = compiled.create_infer_request()
        for i, x in enumerate(self.inputs):
            request.set_input_tensor(i, ov.Tensor(x, shared_memory=True))
        outputs = [request.get_output_tensor(i) for i in range(len(compiled.outputs))]

        def call():
            request.infer()
            return outputs
        self.call, self.keep = call, (core, compiled)

    def numpy(self, outputs):
        return [t.data for t in outputs]
