#!/usr/bin/env python3
"""Plays the episodes of a run on a Ray cluster, a task for each shard.

    pip install ray
    python3 examples/cluster/ray_shards.py --results runs/base --shards 8 -- \\
        --policy policies/pusht --window 8 --episodes 500 --seed 100000

What follows `--` are options of `denoised sim`. Each node needs `denoised` and the policy under the same path. The results
come back to this program, which writes `shard-K-of-N.json` for each shard, whole or not at all: the nodes need no common
folder. A shard whose file is there is not played again, so the same command repeats what is missing.

If a node or a worker is lost, or a simulation is killed or ends with exit code 1, the shard is played again, up to --retries
times. Exit code 2, a wrong option or policy, ends it: it would fail again. The exit status is 1 if a shard has no result.
"""

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

import ray


class SimulationFailed(Exception):
    """Worth another attempt."""


class WrongOptions(Exception):
    """Not worth one."""


def play(denoised: str, options: list[str], shard: int, shards: int, threads: int) -> str:
    """What `denoised sim --json` prints for a shard."""
    command = [denoised, "sim", *options, "--shard", f"{shard}/{shards}", "--threads", str(threads), "--json"]
    # A worker that is killed takes the simulation with it, which would play on for nobody.
    command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
    print(f"shard {shard} of {shards}: begins on {socket.gethostname()}, worker {os.getpid()}", flush=True)
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == 0:
        return ended.stdout
    problem = f"exit code {ended.returncode}: {ended.stderr.strip()[-1000:]}"
    raise WrongOptions(problem) if ended.returncode == 2 else SimulationFailed(problem)


def write_whole(path: Path, text: str) -> None:
    """In one step: whoever finds the file finds all of it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Plays the episodes of a run on a Ray cluster, a task for each shard.")
    parser.add_argument("--results", type=Path, required=True, help="folder for the results, made if it is not there")
    parser.add_argument("--shards", type=int, required=True, help="how many tasks share the episodes")
    parser.add_argument("--address", help="the cluster, such as auto (default: a new one on this machine)")
    parser.add_argument("--denoised", default="denoised", help="the program, on every node (default denoised)")
    parser.add_argument("--cores", type=int, default=2, help="cores for a shard (default 2)")
    parser.add_argument("--retries", type=int, default=3, help="further attempts at a shard (default 3)")
    parser.add_argument("options", nargs="+", help="after --: options of denoised sim")
    arguments = parser.parse_args()
    if arguments.shards < 1:
        parser.error(f"--shards is {arguments.shards}, expected 1 or more")

    arguments.results.mkdir(parents=True, exist_ok=True)
    files = {k: arguments.results / f"shard-{k}-of-{arguments.shards}.json" for k in range(1, arguments.shards + 1)}
    missing = [shard for shard, file in files.items() if not file.exists()]
    print(f"{len(files) - len(missing)} of {len(files)} shards are there already", flush=True)
    ray.init(address=arguments.address)
    task = ray.remote(play).options(num_cpus=arguments.cores, max_retries=arguments.retries, retry_exceptions=[SimulationFailed])
    waiting = {
        task.remote(arguments.denoised, arguments.options, shard, arguments.shards, arguments.cores): shard for shard in missing
    }
    failed = []
    while waiting:
        ready, _ = ray.wait(list(waiting))
        shard = waiting.pop(ready[0])
        try:
            write_whole(files[shard], ray.get(ready[0]))
        except (ray.exceptions.RayTaskError, ray.exceptions.RayError) as error:
            failed.append(shard)
            cause = getattr(error, "cause", None) or error
            print(f"shard {shard} of {len(files)} FAILED: {cause}", file=sys.stderr, flush=True)
        else:
            print(f"shard {shard} of {len(files)}: {files[shard]} is written", flush=True)
    ray.shutdown()
    if failed:
        shards = ", ".join(map(str, sorted(failed)))
        sys.exit(f"shards without a result: {shards}; the same command plays them again")


if __name__ == "__main__":
    main()
