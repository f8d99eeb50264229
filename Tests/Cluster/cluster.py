#!/usr/bin/env python3
"""Tries examples/cluster for real: Slurm and Ray, each with two workers on this machine.

    make test-cluster
    Tests/Cluster/cluster.py --binary denoised --python .venv-cluster/bin/python [slurm|ray]

Each plays the episodes of one run in four shards. Meanwhile a simulation is killed, and a worker or a node is lost. In the end
each seed has the numbers of one process, and `denoised report` joins the shards. A shard that never comes is missing there.

Needs Debian's slurm-wlm and munge, and an environment with PyPI's ray: `scripts/setup --cluster` installs both.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ray_cluster import RayCluster
from slurm_cluster import SlurmCluster

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples/cluster"
SHARDS = 4
# Episodes take long enough to be hit, and not much longer.
OPTIONS = ["--policy", str(ROOT / "policies/pusht"), "--window", "8", "--episodes", "7", "--seed", "100000"]
WRONG_OPTIONS = ["--policy", "/nowhere", "--window", "8", "--episodes", "7"]


class Failed(Exception):
    pass


def require(holds: bool, problem: str) -> None:
    if not holds:
        raise Failed(problem)


def wait(what: str, is_there, seconds: float = 180):
    """What `is_there` returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := is_there()):
        require(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return found


def simulations(results: Path, shard: int) -> list[int]:
    """The processes that play a shard of this test: their options say so, and their environment names its folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        mine = f"DENOISED_TEST_FOLDER={results}".encode() in environment.split(b"\0")
        if mine and b"sim" in words[1:2] and f"{shard}/{SHARDS}".encode() in words:
            found.append(int(folder.name))
    return found


def playing(results: Path, shard: int, program: subprocess.Popen | None = None) -> int:
    """The process that plays a shard, once there is one; `program` must not end before."""

    def found() -> list[int]:
        require(program is None or program.poll() is None, f"the program ended before shard {shard} was played")
        return simulations(results, shard)

    return wait(f"shard {shard} plays", found, seconds=400)[0]


def kill_simulation(results: Path, shard: int, program: subprocess.Popen | None = None) -> None:
    os.kill(playing(results, shard, program), signal.SIGKILL)
    print(f"  killed the simulation of shard {shard}")


class Comparison:
    """The run in one process, and what the shards should be like."""

    def __init__(self, binary: str, folder: Path):
        self.binary, self.folder = binary, folder
        command = [binary, "sim", *OPTIONS, "--threads", "1", "--json"]
        self.whole = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def report(self, results: Path, *options: str) -> subprocess.CompletedProcess:
        files = sorted(map(str, results.glob("*.json")))
        command = [self.binary, "report", *files, "-o", str(self.folder / "page.html"), *options]
        return subprocess.run(command, capture_output=True, text=True)

    def check(self, results: Path) -> None:
        """Every shard is there, and joined they are the run."""
        leftovers = [path.name for path in results.iterdir() if not path.name.startswith("shard-") or path.suffix != ".json"]
        require(not leftovers, f"left over: {leftovers}")
        joined = self.folder / "joined.json"
        joined.unlink(missing_ok=True)
        ended = self.report(results, "--complete", "--joined", str(joined))
        require(ended.returncode == 0 and not ended.stderr, f"report: {ended}")
        print("  " + ended.stdout.strip().replace("\n", "\n  "))
        found = json.loads(joined.read_text())
        for name in ("per_episode", "mean_score", "success_rate", "mean_max_coverage", "chunks", "qualities"):
            require(found[name] == self.whole[name], f"{name}: {found[name]}, expected {self.whole[name]}")
        counts = [sum(run["latency_histograms"]["stages"]["total"]["counts"]) for run in (found, self.whole)]
        require(counts[0] == counts[1], f"{counts[0]} times of chunks, expected {counts[1]}")
        print(f"  {len(found['per_episode'])} episodes, each with the numbers of one process")

    def check_missing(self, results: Path, shard: int) -> None:
        """The report says which shard and which seeds are missing."""
        ended = self.report(results, "--complete")
        seeds = [str(100_000 + place) for place in range(shard - 1, 7, SHARDS)]
        seeds = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"
        expected = f"shard {shard} of {SHARDS} is missing; "
        require(ended.returncode == 1 and expected in ended.stderr and seeds in ended.stderr, f"{ended}")
        print(f"  reported as missing: {ended.stderr.splitlines()[0]}")


def try_slurm(comparison: Comparison, folder: Path) -> None:
    results = folder / "slurm results"
    results.mkdir()
    (folder / "cluster").mkdir()
    with SlurmCluster(folder / "cluster") as cluster:
        environment = {"DENOISED": comparison.binary, "DENOISED_TEST_FOLDER": str(results), "DENOISED_RETRIES": "1"}
        cluster.environment |= environment

        def submit(array: str, options: list[str] = OPTIONS) -> str:
            command = ["sbatch", "--parsable", f"--array={array}", "--cpus-per-task=1", f"--chdir={folder / 'cluster'}"]
            return cluster.run(*command, str(EXAMPLES / "shards.sbatch"), str(results), str(SHARDS), *options).strip()

        def requeued(job: str, shard: int) -> None:
            """Waits until the task is in the queue again, and has it start at once: Slurm would wait for two minutes."""
            task = f"{job}_{shard}"
            wait(f"shard {shard} goes back", lambda: "PD" in cluster.run("squeue", "-h", "-j", task, "-o", "%t"))
            cluster.run("scontrol", "update", f"jobid={task}", "StartTime=now")
            print(f"  Slurm put shard {shard} back into the queue")

        def ended(job: str) -> bool:
            return not cluster.run("squeue", "-h", "-j", job).strip()

        job = submit(f"1-{SHARDS}")
        kill_simulation(results, 2)
        requeued(job, 2)
        # A node that is lost while it plays: Slurm itself puts its task back.
        playing(results, 3)
        node = cluster.run("squeue", "-h", "-j", f"{job}_3", "-o", "%N").strip()
        cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        print(f"  lost the node {node} of shard 3")
        requeued(job, 3)
        cluster.revive(node)
        wait("the job's end", lambda: ended(job))
        comparison.check(results)

        # A shard that is killed at each attempt never comes.
        (results / f"shard-4-of-{SHARDS}.json").unlink()
        job = submit("4")
        kill_simulation(results, 4)
        requeued(job, 4)
        kill_simulation(results, 4)
        wait("the job's end", lambda: ended(job))
        require(" FAILED " in cluster.run("scontrol", "show", "job", job).replace("JobState=", " "), "it did not fail")
        comparison.check_missing(results, 4)

        # Wrong options end it at once.
        job = submit("4", WRONG_OPTIONS)
        wait("the job's end", lambda: ended(job), seconds=60)
        require("Restarts=0" in cluster.run("scontrol", "show", "job", job), "wrong options were tried again")

        # The same command plays what is missing, and only that.
        before = {path: path.stat().st_mtime_ns for path in results.iterdir()}
        job = submit(f"1-{SHARDS}")
        wait("the job's end", lambda: ended(job))
        require(all(path.stat().st_mtime_ns == time for path, time in before.items()), "a shard was played again")
        comparison.check(results)


class RayProgram:
    """The example, as somebody would start it."""

    def __init__(self, python: str, binary: str, results: Path, environment: dict[str, str], address: str):
        self.command = [python, str(EXAMPLES / "ray_shards.py"), "--results", str(results), "--shards", str(SHARDS)]
        self.command += ["--cores", "1", "--denoised", binary, "--address", address]
        self.environment, self.log = environment, results.with_suffix(".log")

    def start(self, *more: str, options: list[str] = OPTIONS) -> subprocess.Popen:
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*self.command, *more, "--", *options], env=self.environment, stdout=log, stderr=log)
        return self.process

    def end(self, code: int = 0) -> str:
        """What it said."""
        found, log = self.process.wait(timeout=600), self.log.read_text()
        require(found == code, f"exit code {found}, expected {code}\n{log}")
        return log


def try_ray(comparison: Comparison, folder: Path, python: str) -> None:
    results = folder / "ray results"
    # Ray keeps a token in the home folder. Its workers have the environment of the cluster.
    environment = os.environ | {"DENOISED_TEST_FOLDER": str(results), "RAY_TMPDIR": str(folder / "ray"), "HOME": str(folder)}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}
    with RayCluster(python, environment) as cluster:
        program = RayProgram(python, comparison.binary, results, environment, cluster.address)
        running = program.start()
        try:
            kill_simulation(results, 2, running)
            # The worker itself: its simulation ends with it, and Ray starts another worker.
            process = playing(results, 3, running)
            worker = int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(worker, signal.SIGKILL)
            print("  killed the worker of shard 3")
            wait("its simulation ends", lambda: process not in simulations(results, 3), seconds=10)
            program.end()
            comparison.check(results)

            # A shard that is killed at each attempt never comes.
            (results / f"shard-4-of-{SHARDS}.json").unlink()
            running = program.start("--retries", "0")
            kill_simulation(results, 4, running)
            require("shards without a result: 4" in program.end(1), "nothing is said of shard 4")
            comparison.check_missing(results, 4)

            # Wrong options end it at once.
            running = program.start(options=WRONG_OPTIONS)
            said = program.end(1)
            require("/nowhere" in said and "retries remaining" not in said, f"wrong options were tried again\n{said}")

            # The same command plays what is missing, and only that.
            before = {path: path.stat().st_mtime_ns for path in results.iterdir()}
            running = program.start()
            program.end()
            require(all(path.stat().st_mtime_ns == time for path, time in before.items()), "a shard was played again")
            comparison.check(results)
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Tries examples/cluster with Slurm and Ray on this machine.")
    parser.add_argument("which", nargs="*", choices=["slurm", "ray", []], help="(default both)")
    parser.add_argument("--binary", default="denoised", help="the program to test")
    parser.add_argument("--python", default=sys.executable, help="of an environment that has ray")
    parser.add_argument("--steps", help="denoising steps, fewer for a busy machine (default: the policy's own)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with results and logs")
    arguments = parser.parse_args()
    which = arguments.which or ["slurm", "ray"]
    sys.stdout.reconfigure(line_buffering=True)
    if arguments.steps:
        OPTIONS.extend(["--steps", arguments.steps])
    binary = shutil.which(arguments.binary)
    if binary is None:
        parser.error(f"--binary is {arguments.binary}, which is no program")
    folder = Path(tempfile.mkdtemp(prefix="denoised-cluster-"))
    failed = []
    try:
        comparison = Comparison(os.path.abspath(binary), folder)
        for name in which:
            print(name, flush=True)
            try:
                if name == "slurm":
                    try_slurm(comparison, folder)
                else:
                    try_ray(comparison, folder, arguments.python)
            except (Failed, subprocess.CalledProcessError) as failure:
                failed.append(name)
                print(f"  FAILED: {failure} {getattr(failure, 'stderr', '')}")
    finally:
        if arguments.keep or failed:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
