"""One engine with one network, in a process of its own: idle, it waits on a pipe and no thread of it spins.

    python worker.py ENGINE FOLDER THREADS

Reads a JSON object a line: {"batch": 4, "runs": 20, "warm_up": 3}. Answers {"ms": [one time a run],
"outputs": [the last run's numbers]} a line.
"""

import gc
import json
import os
import sys
import time

import numpy as np

# Engines keep copies of the weights for each batch size. A network above this size is prepared for one batch size at a time:
# those of all engines together would not fit into 24 GiB.
LARGE_BYTES = 500 << 20


def inputs(folder, batch, action_dim=2, condition_dim=40):
    """Seeded inputs; a smaller batch is the head of a larger one, and all rows have one condition."""
    horizon = configuration(folder)["horizon"]
    samples = np.random.default_rng(1).uniform(-1, 1, (batch, horizon, action_dim)).astype(np.float32)
    condition = np.random.default_rng(2).uniform(-1, 1, condition_dim).astype(np.float32)
    return samples, np.arange(batch, dtype=np.int64) * 5 % 100, np.tile(condition, (batch, 1))


def configuration(folder):
    with open(f"{folder}/config.json") as file:
        return json.load(file)


def with_pytorch(folder, threads, precision):
    import torch
    from safetensors.torch import load_file

    from export import SHAPE
    from unet import UNet1D

    torch.set_num_threads(threads)
    values = configuration(folder)
    network = UNet1D(values["down_dims"], embedding=values["diffusion_step_embed_dim"], **SHAPE).eval()
    weights = load_file(f"{folder}/model.safetensors")
    network.load_state_dict({name.removeprefix("diffusion.unet."): value for name, value in weights.items()})

    def prepare(batch):
        tensors = [torch.from_numpy(value) for value in inputs(folder, batch)]

        def run():
            with torch.inference_mode():
                return network(*tensors)

        return run, lambda output: output.numpy()

    return prepare


def with_onnxruntime(folder, threads, precision):
    import onnxruntime

    def prepare(batch):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_free_dimension_override_by_name("batch", batch)
        session = onnxruntime.InferenceSession(f"{folder}/network.onnx", options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        for name, value in zip(("samples", "timesteps", "conditions"), inputs(folder, batch)):
            binding.bind_cpu_input(name, value)
        binding.bind_output("outputs")

        def run():
            session.run_with_iobinding(binding)
            return binding

        return run, lambda binding: binding.copy_outputs_to_cpu()[0]

    return prepare


def with_openvino(folder, threads, precision):
    import openvino

    core = openvino.Core()

    def prepare(batch):
        # Of quantized weights quantize.py made a model of its own; what stays in floats computes in f32.
        file = "network-int8.xml" if precision == "int8" else "network.onnx"
        model = core.read_model(f"{folder}/{file}")
        values = dict(zip(("samples", "timesteps", "conditions"), inputs(folder, batch)))
        model.reshape({name: value.shape for name, value in values.items()})
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": "1",
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision,
            },
        )
        request = compiled.create_infer_request()
        for name, value in values.items():
            request.get_tensor(name).data[:] = value

        def run():
            request.infer()
            return request

        return run, lambda request: request.get_output_tensor().data

    return prepare


ENGINES = {
    "pytorch-f32": (with_pytorch, "f32"),
    "onnxruntime-f32": (with_onnxruntime, "f32"),
    "openvino-f32": (with_openvino, "f32"),
    "openvino-bf16": (with_openvino, "bf16"),
    "openvino-int8": (with_openvino, "int8"),
}


def main():
    name, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Answers go where standard output went; what a library prints must not come between them.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    engine, precision = ENGINES[name]
    prepare = engine(folder, threads, precision)
    prepared = {}
    is_large = os.path.getsize(f"{folder}/model.safetensors") > LARGE_BYTES
    gc.disable()
    for line in sys.stdin:
        request = json.loads(line)
        batch = request["batch"]
        if batch not in prepared:
            if is_large:
                run = numbers = output = None
                prepared.clear()
                gc.collect()
            prepared[batch] = prepare(batch)
        run, numbers = prepared[batch]
        times = []
        for index in range(-request["warm_up"], request["runs"]):
            start = time.perf_counter_ns()
            output = run()
            elapsed = time.perf_counter_ns() - start
            if index >= 0:
                times.append(elapsed / 1e6)
        outputs = np.asarray(numbers(output), dtype=np.float64).flatten().tolist()
        print(json.dumps({"ms": times, "outputs": outputs}), file=answers, flush=True)


if __name__ == "__main__":
    main()
