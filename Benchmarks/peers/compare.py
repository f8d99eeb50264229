"""Times one forward pass of the same networks in every engine, in turn, and writes what it measured as JSON.

    python compare.py --binary .build/release/denoised --folder .build/peers 256-512-1024 ...

Every engine has a process of its own and only one works at a time. A round gives each engine one turn, at every batch
size, starting with another engine each round; a result is the median over the rounds of the turns' medians. So a spell
in which the machine is slow meets all engines alike and decides nothing.
"""

import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

BATCHES = [1, 4, 8, 20]
REFERENCE = "pytorch-f32"
PEERS = [REFERENCE, "onnxruntime-f32", "openvino-f32", "openvino-bf16", "openvino-int8"]
# What a precision may differ from the reference. Quantization that is calibrated with noise differs most.
BOUNDS = {"f32": 1e-4, "bf16": 0.03, "int8": 0.3}
OURS = ["denoised-f32", "denoised-bf16", "denoised-int8"]


class Peer:
    """A worker process: see worker.py."""

    def __init__(self, engine, folder, arguments):
        self.arguments = arguments
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), engine, str(folder), str(arguments.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(arguments.threads)},
        )

    def ask(self, batch, runs, warm_up):
        print(json.dumps({"batch": batch, "runs": runs, "warm_up": warm_up}), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"compare: {' '.join(self.process.args)} ended with status {self.process.wait()}")
        return json.loads(answer)

    def turn(self):
        """Median ms at each of the batch sizes."""
        runs, warm_up = self.arguments.runs, self.arguments.warm_up
        return [statistics.median(self.ask(batch, runs, warm_up)["ms"]) for batch in BATCHES]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`denoised bench network`, a new process each turn."""

    def __init__(self, precision, folder, arguments):
        self.precision = precision
        self.limits = []
        self.least = []
        self.kernel = None
        self.command = [
            arguments.binary,
            "bench",
            "network",
            "--json",
            "--architecture",
            str(folder),
            "--precision",
            precision,
            "--batch",
            ",".join(map(str, BATCHES)),
            "--threads",
            str(arguments.threads),
            "--runs",
            str(arguments.runs),
            "--warm-up",
            str(arguments.warm_up),
        ]

    def turn(self):
        report = json.loads(subprocess.run(self.command, check=True, stdout=subprocess.PIPE).stdout)
        results = report["results"]
        self.kernel = results[0]["kernel"]
        self.parameters = report["parameters"]
        if limits := report.get("roofline"):
            self.limits.append(limits)
            # The least ms at each batch size: the weights read once or the operations done, whichever takes longer.
            peak = limits[f"gflops_{self.precision}"] or limits["gflops_f32"]
            self.least.append(
                [
                    result["ms_p50"] * max(result["weight_gb_per_s"] / limits["gb_per_s"], result["gflops"] / peak)
                    for result in results
                ]
            )
        return [result["ms_p50"] for result in results]

    def close(self):
        pass


def relative_error(values, reference):
    return math.dist(values, reference) / math.hypot(*reference)


def measure(name, arguments):
    folder = Path(arguments.folder) / name
    engines = {engine: Peer(engine, folder, arguments) for engine in PEERS}
    engines |= {engine: Ours(engine.split("-")[1], folder, arguments) for engine in OURS}

    errors = {}
    outputs = {engine: [engines[engine].ask(batch, 1, 1)["outputs"] for batch in BATCHES] for engine in PEERS}
    for engine in PEERS[1:]:
        errors[engine] = max(map(relative_error, outputs[engine], outputs[REFERENCE]))
        print(f"{name}: {engine} is within {errors[engine]:.1e} of {REFERENCE}", file=sys.stderr)
        if errors[engine] > BOUNDS[engine.split("-")[1]]:
            sys.exit(f"compare: {engine} computes something else; if its files are older than this code, delete {folder}")

    order = list(engines)
    turns = {engine: [] for engine in order}
    for round_number in range(arguments.rounds):
        start = round_number % len(order)
        for engine in order[start:] + order[:start]:
            turns[engine].append(engines[engine].turn())
            time.sleep(0.1)  # threads that spin for a while after their work have stopped by then
        print(f"{name}: round {round_number + 1} of {arguments.rounds}", file=sys.stderr)
    for engine in engines.values():
        engine.close()

    return {
        "name": name,
        "parameters": engines[OURS[0]].parameters,
        "ms": {engine: [statistics.median(times) for times in zip(*turns[engine])] for engine in order},
        "turns": turns,
        "relative_error": errors,
        "kernels": {engine: engines[engine].kernel for engine in OURS},
        # By turn, like "turns": each is set against the limits measured in its own process, just before it.
        "least": {engine: engines[engine].least for engine in OURS},
        "limits": [limit for engine in OURS for limit in engines[engine].limits],
    }


def machine():
    """The processor in a line, without its serial name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(reversed([map(str.strip, line.split(":", 1)) for line in lines if ":" in line]))
    flags = fields.get("flags", "").split()
    extensions = [
        text
        for flag, text in (("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX-512-BF16"), ("amx_bf16", "AMX-BF16"))
        if flag in flags
    ]
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = fields.get("model name", platform.machine())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {model} ({', '.join(extensions) or 'no AVX2'}), {gib:.0f} GiB"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--machine", default="")
    parser.add_argument("architectures", nargs="+")
    arguments = parser.parse_args()

    load = os.getloadavg()[0]
    if load > 1:
        print(f"compare: load average {load:.1f}: something else runs, and the times will say so", file=sys.stderr)
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": arguments.machine or machine(),
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "runs": arguments.runs,
        "versions": {package: version(package) for package in ("torch", "onnxruntime", "openvino", "nncf")},
        "batches": BATCHES,
        "load_before": load,
        "architectures": [measure(name, arguments) for name in arguments.architectures],
    }
    Path(arguments.output).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
