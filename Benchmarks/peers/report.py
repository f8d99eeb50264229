"""Prints what compare.py measured, and makes docs/ENGINES.md of it, with a picture.

Usage: python report.py RESULT.json DOCS
"""

import json
import statistics
import sys
import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

TITLES = {
    "pytorch-f32": "PyTorch f32",
    "onnxruntime-f32": "ONNX Runtime f32",
    "openvino-f32": "OpenVINO f32",
    "openvino-bf16": "OpenVINO bf16",
    "openvino-int8": "OpenVINO int8",
    "denoised-f32": "denoised f32",
    "denoised-bf16": "denoised bf16",
    "denoised-int8": "denoised int8",
}
LEROBOT, PAPER, SMALL = "512-1024-2048", "256-512-1024", "64-128-256"
# How many times faster than OpenVINO at the same precision, by architecture and batch size.
FASTER = {
    (PAPER, "bf16"): {1: 1.6, 4: 1.8, 8: 1.8, 20: 1.8},
    (PAPER, "f32"): {1: 1.3, 4: 2.5, 8: 2.5, 20: 1.7},
    (SMALL, "bf16"): {1: 1.3, 8: 1.3},
    (LEROBOT, "int8"): {1: 1.5, 4: 1.5, 8: 1.5, 20: 1.5},
    (PAPER, "int8"): {1: 1.5, 4: 1.5, 8: 1.5, 20: 1.5},
}
# How many times the roofline's least time it may take.
NEAR_ROOFLINE = {(PAPER, "bf16"): {1: 1.4, 4: 1.5, 8: 1.5, 20: 1.5}}
# What batch 4 may cost in batches of 1.
FOUR_FOR_ONE = {(PAPER, "bf16"): 1.4, (PAPER, "f32"): 1.4}


def table(header, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def least_times(architecture, precision):
    """The roofline's ms at each batch size, the median of the turns'; None where there are no packed kernels."""
    turns = architecture["least"][f"denoised-{precision}"]
    return [statistics.median(times) for times in zip(*turns)] if turns else None


def over_roofline(architecture, precision, index):
    """Our time in the roofline's, the median of the turns' own; None where there are no packed kernels."""
    engine = f"denoised-{precision}"
    turns = zip(architecture["turns"][engine], architecture["least"][engine])
    ratios = [taken[index] / least[index] for taken, least in turns]
    return statistics.median(ratios) if ratios else None


def ratio(architecture, precision, index):
    times = architecture["ms"]
    return times[f"openvino-{precision}"][index] / times[f"denoised-{precision}"][index]


def paragraph(text):
    """Text in lines of the documentation's width."""
    return textwrap.fill(text, width=130, break_long_words=False, break_on_hyphens=False)


def measured_limits(limits):
    """A sentence; without the precisions that the processor does not multiply."""
    units = {"gb_per_s": "GB/s", "gflops_f32": "GFLOP/s f32", "gflops_bf16": "GFLOP/s bf16", "gflops_int8": "GFLOP/s int8"}
    spreads = (spread(values, unit) for key, unit in units.items() if any(values := [limit[key] for limit in limits]))
    return paragraph(f"Measured limits, median of the turns and range: {', '.join(spreads)}.")


def spread(values, unit):
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f}) {unit}"


def milliseconds(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def times_table(report, architecture):
    rows = []
    for index, batch in enumerate(report["batches"]):
        row = [str(batch)] + [milliseconds(architecture["ms"][engine][index]) for engine in TITLES]
        for precision in ("f32", "bf16", "int8"):
            row.append(f"{ratio(architecture, precision, index):.2f}x")
        for precision in ("f32", "bf16"):
            over = over_roofline(architecture, precision, index)
            row.append(f"{1 / over:.0%}" if over else "")
        rows.append(row)
    return table(["batch", *TITLES.values(), "f32 gain", "bf16 gain", "int8 gain", "f32 of roofline", "bf16 of roofline"], rows)


def goals(report):
    """(goal, measured, met) for every goal that this run measured."""
    for architecture in report["architectures"]:
        name = architecture["name"]
        for precision in ("bf16", "f32", "int8"):
            times = architecture["ms"][f"denoised-{precision}"]
            for index, batch in enumerate(report["batches"]):
                case = f"{name}, {precision}, batch {batch}"
                if wanted := FASTER.get((name, precision), {}).get(batch):
                    measured = ratio(architecture, precision, index)
                    yield f"{case}: at least {wanted}x faster than OpenVINO", f"{measured:.2f}x", measured >= wanted
                measured = over_roofline(architecture, precision, index)
                if measured and (wanted := NEAR_ROOFLINE.get((name, precision), {}).get(batch)):
                    yield f"{case}: within {wanted}x of the roofline", f"{measured:.2f}x", measured <= wanted
            if wanted := FOUR_FOR_ONE.get((name, precision)):
                measured = times[report["batches"].index(4)] / times[report["batches"].index(1)]
                yield f"{name}, {precision}: batch 4 at most {wanted}x of batch 1", f"{measured:.2f}x", measured <= wanted


def goals_text(found):
    """How many goals are met, and a table of those that are not."""
    missed = [[goal, measured] for goal, measured, met in found if not met]
    text = f"{len(found) - len(missed)} of {len(found)} goals are met; `make bench-peers` prints them all."
    return text + ("\n\n" + table(["not met", "measured"], missed) if missed else "")


def without_bf16(report):
    """A point of the list for a processor that does not multiply bf16."""
    limits = [limit for architecture in report["architectures"] for limit in architecture["limits"]]
    if not limits or any(limit["gflops_bf16"] for limit in limits):
        return ""
    return """
- This processor does not multiply bf16. OpenVINO then computes in f32. `denoised` reads half as much and expands it, which pays
  if reading takes longest."""


def page(report):
    versions = report["versions"]
    kernels = report["architectures"][0]["kernels"]
    errors = [architecture["relative_error"] for architecture in report["architectures"]]
    worst = {engine: max(error[engine] for error in errors) for engine in errors[0]}
    parts = [
        f"""# Next to other engines

What a forward pass of the network costs, next to other engines on the same machine. `make bench-peers` measures again, and
writes this page. Other results are in [BENCHMARKS.md](BENCHMARKS.md).

Median milliseconds of one forward pass, {report["threads"]} threads, on {report["machine"]}.
Measured by `make bench-peers` on {report["date"]}. The load average before the run was {report["load_before"]:.1f}.

- Versions: PyTorch {versions["torch"]}, ONNX Runtime {versions["onnxruntime"]}, OpenVINO {versions["openvino"].split("-")[0]}
  (latency hint, one stream), NNCF {versions["nncf"]}, which quantized weights and activations for OpenVINO int8.
- 512-1024-2048 is the network that LeRobot trains by default, with horizon 64. The others have horizon 16.
- All engines run the same seeded weights, with a condition of 40 numbers. Each has a process of its own, one at a time.
- A round gives every engine one turn of {report["runs"]} passes at each batch size, after a few to warm up. A figure is the
  median of the turns' medians over {report["rounds"]} rounds.
- The others compute the whole network. `denoised` computes each timestep's embedding when it loads a policy. It computes an
  observation's share of the FiLM conditioning before the first pass. A sampler does that once for all its passes.
- *Gain* is OpenVINO's time at the same precision over ours.
- *Roofline* is max(weight bytes / bandwidth, operations / peak) over our time, the median of the turns. Bandwidth and peak are
  measured in the same process just before each turn.
- A pass may beat the roofline in two cases. Small weights, such as the 11 MB of 64-128-256 in bf16, stay in the last-level
  cache. And operations count the multiplications with padding, which shows in large batches.{without_bf16(report)}

![Milliseconds a forward pass by batch size, by network and engine](images/peers.svg)"""
    ]
    for architecture in report["architectures"]:
        parts.append(f"## {architecture['name']}, {architecture['parameters'] / 1e6:.1f} M parameters")
        parts.append(times_table(report, architecture))
        if limits := architecture["limits"]:
            parts.append(measured_limits(limits))
    parts.append("## Goals")
    parts.append(goals_text(list(goals(report))))
    differences = ", ".join(f"{TITLES[engine]} {error:.1e}" for engine, error in worst.items())
    parts.append(
        paragraph(
            f"Largest difference from PyTorch f32, ||out - ref|| / ||ref||: {differences}. The tests bound that of `denoised`. "
            f"Kernels: {', '.join(kernels.values())}."
        )
    )
    return "\n\n".join(parts)


# Line and marker.
STYLES = {"f32": ("-", "o"), "bf16": ("--", "s"), "int8": (":", "^")}


def draw(report, file):
    plt.rcParams.update({"svg.hashsalt": "peers", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"})
    colours = {"pytorch": "#8c8c8c", "onnxruntime": "#d9a441", "openvino": "#3b7dd8", "denoised": "#c8372d"}
    figure, axes = plt.subplots(
        1, len(report["architectures"]), figsize=(3.5 * len(report["architectures"]), 3.8), sharey=True, squeeze=False
    )
    positions = range(len(report["batches"]))
    for axis, architecture in zip(axes[0], report["architectures"]):
        for precision, style in (("f32", "-"), ("bf16", "--")):
            if least := least_times(architecture, precision):
                axis.plot(positions, least, style, color="black", linewidth=0.8, label=f"roofline {precision}")
        for engine, title in TITLES.items():
            library, precision = engine.split("-")
            axis.plot(
                positions,
                architecture["ms"][engine],
                STYLES[precision][0],
                color=colours[library],
                marker=STYLES[precision][1],
                markersize=4,
                linewidth=1.6,
                label=title,
            )
        axis.set_yscale("log")
        axis.set_xticks(positions, report["batches"])
        axis.set_xlabel("batch")
        axis.set_title(f"{architecture['name']}  ({architecture['parameters'] / 1e6:.1f} M)", fontsize=10)
        axis.grid(axis="y", which="both", linewidth=0.3, alpha=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes[0][0].set_ylabel("ms a forward pass")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, frameon=False)
    figure.tight_layout(rect=(0, 0.2, 1, 1))
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")


def main():
    report = json.loads(Path(sys.argv[1]).read_text())
    docs = Path(sys.argv[2])
    (docs / "images").mkdir(exist_ok=True)
    draw(report, docs / "images" / "peers.svg")
    (docs / "ENGINES.md").write_text(page(report) + "\n")

    for architecture in report["architectures"]:
        print(f"\n{architecture['name']}, median ms\n{times_table(report, architecture)}")
    print()
    for goal, measured, met in goals(report):
        print(f"{'met    ' if met else 'not met'}  {measured:>6}  {goal}")


if __name__ == "__main__":
    main()
