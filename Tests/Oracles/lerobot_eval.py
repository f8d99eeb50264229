"""Compares `lerobot-eval`, whose policy is `denoised serve`, with `denoised sim`: seed by seed, on gym-pusht.

    python Tests/Oracles/lerobot_eval.py --binary .build/release/denoised --policy policies/pusht
    python Tests/Oracles/lerobot_eval.py --binary .build/release/denoised --policy policies/pusht-image --allow 0.5

Python has LeRobot, gym-pusht 0.1.8 and the packages of clients/python and clients/lerobot_policy_denoised. LeRobot runs as it is;
only gym-pusht's environment is watched, for the number of steps of each episode.

The exit status is 1 if a seed has another success, another number of steps, or a largest coverage that differs by more than 1e-9.
`--allow SHARE` accepts that share of seeds: frames of a camera, which gym-pusht draws with pygame and the daemon's simulator
with its own code, differ in a few grey levels, after which an episode goes another way.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COVERAGE_TOLERANCE = 1e-9
# One step of the sampler after the other, so that a chunk is the same each time.
SAMPLER = ("--window", "1")
CAMERA_TYPES = ("pixels_agent_pos", "environment_state_agent_pos")


def watch_episodes(path):
    """Runs lerobot-eval in this process, with the arguments of the command line, and writes what its episodes were."""
    from gym_pusht.envs.pusht import PushTEnv
    from lerobot.scripts import lerobot_eval

    episodes = []
    reset, step = PushTEnv.reset, PushTEnv.step

    def watched_reset(env, seed=None, options=None):
        result = reset(env, seed=seed, options=options)
        env.episode = None if seed is None else {"seed": int(seed), "steps": 0, "score": 0.0, "coverage": 0.0, "success": False}
        if env.episode is not None:
            episodes.append(env.episode)
        return result

    def watched_step(env, action):
        result = step(env, action)
        episode = env.episode
        if episode is not None:
            _, reward, terminated, _, info = result
            episode["steps"] += 1
            episode["score"] = max(episode["score"], float(reward))
            episode["coverage"] = max(episode["coverage"], float(info["coverage"]))
            episode["success"] = bool(info["is_success"])
            if terminated:  # what follows belongs to an episode that LeRobot discards
                env.episode = None
        return result

    PushTEnv.reset, PushTEnv.step = watched_reset, watched_step
    try:
        lerobot_eval.main()
    finally:
        Path(path).write_text(json.dumps(episodes))


@contextlib.contextmanager
def daemon(binary, policy, folder):
    """A daemon on ipc sockets in a folder. Gives where it answers requests."""
    endpoints = {name: f"ipc://{folder}/{name}" for name in ("observations", "chunks", "requests")}
    arguments = [argument for name, endpoint in endpoints.items() for argument in (f"--{name}", endpoint)]
    process = subprocess.Popen([binary, "serve", "--policy", policy, *SAMPLER, *arguments], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (Path(folder) / "requests").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the daemon did not start")
            time.sleep(0.05)
        yield endpoints["requests"]
    finally:
        process.terminate()
        process.wait(30)


def evaluate(options, endpoint, folder):
    """The episodes of lerobot-eval."""
    found = Path(folder) / "episodes.json"
    config = json.loads((Path(options.policy) / "config.json").read_text())
    has_camera = any(feature["type"] == "VISUAL" for feature in config["input_features"].values())
    arguments = [
        "--policy.type=denoised",
        f"--policy.endpoint={endpoint}",
        "--env.type=pusht",
        f"--env.obs_type={CAMERA_TYPES[0 if has_camera else 1]}",
        f"--eval.n_episodes={options.episodes}",
        f"--eval.batch_size={options.batch_size}",
        "--eval.use_async_envs=false",  # in this process, to be watched
        f"--seed={options.seed}",
        f"--output_dir={folder}/output",
    ]
    environment = os.environ | {"SDL_VIDEODRIVER": "dummy", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, "--watch", str(found), *arguments]
    errors = None if options.verbose else subprocess.DEVNULL
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors).returncode != 0:
        raise SystemExit("lerobot-eval failed; --verbose shows why")
    info = json.loads((Path(folder) / "output" / "eval_info.json").read_text())
    metrics = info["per_task"][0]["metrics"]
    episodes = json.loads(found.read_text())[: options.episodes]
    # What was watched is what LeRobot says.
    assert [episode["success"] for episode in episodes] == metrics["successes"], (episodes, metrics)
    assert all(abs(episode["score"] - reward) < 1e-6 for episode, reward in zip(episodes, metrics["max_rewards"]))
    return episodes, info["overall"]["eval_s"]


def simulate(options):
    """The episodes of `denoised sim`."""
    command = [options.binary, "sim", "--policy", options.policy, *SAMPLER, "--episodes", str(options.episodes), "--json"]
    began = time.monotonic()
    result = subprocess.run([*command, "--seed", str(options.seed)], check=True, capture_output=True, text=True)
    return json.loads(result.stdout)["per_episode"], time.monotonic() - began


def main():
    if sys.argv[1:2] == ["--watch"]:
        path = sys.argv[2]
        sys.argv = ["lerobot-eval", *sys.argv[3:]]
        return watch_episodes(path)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--binary", default=os.environ.get("DENOISED_BINARY", "denoised"), help="the denoised binary")
    parser.add_argument("--policy", default="policies/pusht", help="a checkpoint for PushT, of keypoints or pixels")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=1, help="environments that LeRobot runs at once")
    parser.add_argument("--seed", type=int, default=100_000, help="of the first episode")
    parser.add_argument("--allow", type=float, default=0.0, metavar="SHARE", help="of seeds that may differ")
    parser.add_argument("--verbose", action="store_true", help="show what LeRobot logs")
    options = parser.parse_args()
    import lerobot

    with tempfile.TemporaryDirectory() as folder, daemon(options.binary, options.policy, folder) as endpoint:
        evaluated, lerobot_seconds = evaluate(options, endpoint, folder)
    simulated, sim_seconds = simulate(options)
    differing = 0
    print(f"LeRobot {lerobot.__version__}, batches of {options.batch_size}, {options.policy}")
    print(f"{'seed':>8}  {'lerobot-eval':>24}  {'denoised sim':>24}")
    for found, expected in zip(evaluated, simulated, strict=True):
        is_equal = (
            found["seed"] == expected["seed"]
            and found["success"] == expected["success"]
            and found["steps"] == expected["steps"]
            and abs(found["coverage"] - expected["max_coverage"]) <= COVERAGE_TOLERANCE
        )
        differing += not is_equal
        text = [
            f"{'success' if each['success'] else 'no':>8} {coverage:8.5f} {each['steps']:6}"
            for each, coverage in ((found, found["coverage"]), (expected, expected["max_coverage"]))
        ]
        print(f"{found['seed']:>8}  {text[0]}  {text[1]}{'' if is_equal else '  differs'}")
    for name, episodes, seconds in (("lerobot-eval", evaluated, lerobot_seconds), ("denoised sim", simulated, sim_seconds)):
        print(f"{name}: {sum(episode['success'] for episode in episodes)} of {len(episodes)} succeeded, {seconds:.0f} s")
    print(f"{differing} of {len(evaluated)} seeds differ")
    return 1 if differing > options.allow * len(evaluated) else 0


if __name__ == "__main__":
    sys.exit(main())
