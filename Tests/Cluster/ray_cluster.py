"""A Ray cluster of two workers on this machine."""

import subprocess
import time

# Ray waits for its own processes for 30 s, which a busy machine may exceed.
ATTEMPTS = 5
# Holds the cluster until its standard input ends.
HOST = """
import sys, ray
print("address", ray.init(num_cpus=2, include_dashboard=False).address_info["gcs_address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


class RayCluster:
    """Runs while it is entered, in a process of its own, and ends with that."""

    def __init__(self, python: str, environment: dict[str, str]):
        self.python, self.environment = python, environment
        self.address = ""

    def __enter__(self) -> "RayCluster":
        for attempt in range(ATTEMPTS):
            self.host = subprocess.Popen(
                [self.python, "-c", HOST],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for line in self.host.stdout:
                if line.startswith("address "):
                    self.address = line.split()[1]
                    return self
            self.host.wait()
            print(f"  Ray did not start, attempt {attempt + 1} of {ATTEMPTS}")
            time.sleep(1)
        raise SystemExit("Ray does not start; `python -c 'import ray; ray.init()'` says why")

    def __exit__(self, *_) -> None:
        self.host.stdin.close()
        try:
            self.host.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.host.kill()
