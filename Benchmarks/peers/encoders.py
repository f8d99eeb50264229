"""Times encoding one frame in every engine, in turn, and prints a table for docs/BENCHMARKS.md.

    python encoders.py BINARY [--frames 84x84 216x288] [--rounds 7] [--threads 2]

Every engine has a process of its own and only one works at a time. A result is the median over the rounds of the turns' medians,
as in compare.py. PyTorch runs the network that LeRobot runs (resnet.py); OpenVINO has it as ONNX. Weights are random.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

PEERS = ["pytorch-f32", "openvino-f32"]
OURS = ["denoised-f32", "denoised-int8"]


def work(engine, norm, frame, threads):
    """A worker: for each line on standard input so many runs, whose milliseconds it prints."""
    import torch

    from resnet import Encoder

    height, width = map(int, frame.split("x"))
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    encoder = Encoder(norm, height, width).eval()
    values = torch.rand(1, 3, height, width)
    if engine == "pytorch-f32":

        def run():
            with torch.inference_mode():
                encoder(values)

    else:
        run = openvino_run(encoder, values, threads)
    for line in sys.stdin:
        times = []
        for index in range(-3, int(line)):
            start = time.perf_counter_ns()
            run()
            if index >= 0:
                times.append((time.perf_counter_ns() - start) / 1e6)
        print(json.dumps(times), flush=True)


def openvino_run(encoder, values, threads):
    import numpy as np
    import openvino
    import torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = f"{folder}/encoder.onnx"
        torch.onnx.export(encoder, values, path, opset_version=18, dynamo=False)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    array = values.numpy()
    request.infer([array])
    expected = encoder(values).detach().numpy()
    found = request.get_output_tensor().data
    if np.abs(found - expected).max() > 1e-3 * np.abs(expected).max():
        sys.exit("encoders: OpenVINO computes something else")
    return lambda: request.infer([array])


class Peer:
    def __init__(self, engine, norm, frame, arguments):
        command = [sys.executable, __file__, "--worker", engine, norm, frame, "--threads", str(arguments.threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
        self.runs = arguments.runs
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def turn(self):
        print(self.runs, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"encoders: {' '.join(self.process.args)} ended with status {self.process.wait()}")
        return statistics.median(json.loads(answer))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    def __init__(self, engine, norm, frame, arguments):
        settings = {
            "precision": engine.split("-")[1],
            "norm": norm,
            "frame": frame,
            "threads": arguments.threads,
            "runs": arguments.runs,
        }
        self.command = [arguments.binary, "bench", "encoder", "--json"]
        for name, value in settings.items():
            self.command += [f"--{name}", str(value)]

    def turn(self):
        report = json.loads(subprocess.run(self.command, check=True, stdout=subprocess.PIPE).stdout)
        return report["results"][0]["ms_p50"]

    def close(self):
        pass


def measure(norm, frame, arguments):
    """The median ms of each engine."""
    engines = {engine: Peer(engine, norm, frame, arguments) for engine in PEERS}
    engines |= {engine: Ours(engine, norm, frame, arguments) for engine in OURS}
    order = list(engines)
    turns = {engine: [] for engine in order}
    for number in range(arguments.rounds):
        start = number % len(order)
        for engine in order[start:] + order[:start]:
            turns[engine].append(engines[engine].turn())
            time.sleep(0.1)  # threads that spin for a while after their work have stopped by then
    for engine in engines.values():
        engine.close()
    return {engine: statistics.median(times) for engine, times in turns.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--frames", nargs="+", default=["84x84", "216x288", "480x640"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", nargs=3, metavar=("ENGINE", "NORM", "FRAME"))
    arguments = parser.parse_args()
    if arguments.worker:
        return work(*arguments.worker, arguments.threads)
    if not arguments.binary:
        parser.error("BINARY is missing")
    if os.getloadavg()[0] > 1:
        print(f"encoders: load average {os.getloadavg()[0]:.1f}: something else runs, and the times will say so", file=sys.stderr)
    columns = [*PEERS, *OURS]
    print(f"| frame | norm | {' | '.join(columns)} | f32 / OpenVINO | int8 / OpenVINO | f32 / PyTorch |")
    print(f"|{' --- |' * (len(columns) + 5)}")
    for frame in arguments.frames:
        for norm in ("group", "batch"):
            ms = measure(norm, frame, arguments)
            openvino, ours, int8 = ms["openvino-f32"], ms["denoised-f32"], ms["denoised-int8"]
            ratios = [openvino / ours, openvino / int8, ms["pytorch-f32"] / ours]
            cells = [f"{ms[engine]:.2f}" for engine in columns] + [f"{ratio:.2f}" for ratio in ratios]
            print(f"| {frame} | {norm} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
