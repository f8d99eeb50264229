"""The simulated robot's physics are those of gym-pusht, by the episodes that Tests/Oracles/pusht.py recorded of it."""

import json

import numpy as np
import pytest

from pusht_world import ROOT, SUCCESS_COVERAGE, World

ORACLE = json.loads((ROOT / "Tests/PushTTests/Resources/gym_pusht.json").read_text())


@pytest.mark.parametrize("reset", ORACLE["resets"], ids=lambda reset: reset["seed"])
def test_a_seed_places_disc_and_block_as_gym_pusht_does(reset):
    world = World()
    world.reset(int(reset["seed"]))
    np.testing.assert_allclose(world.state, reset["state"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(world.keypoints, reset["keypoints"], rtol=0, atol=1e-9)
    assert world.coverage == pytest.approx(reset["coverage"], abs=1e-9)


@pytest.mark.parametrize("episode", ORACLE["episodes"], ids=lambda episode: episode["name"])
def test_the_world_is_gym_pushts(episode):
    world = World()
    if episode["seed"] is None:
        world.place(episode["initial_state"])
    else:
        world.reset(episode["seed"])
    states = dict(zip(episode["steps"], zip(episode["states"], episode["coverage"], episode["success"])))
    for step in range(1, max(states) + 1):
        target = episode["targets"][(step - 1) // episode["hold"]]
        for _ in range(10):
            world.advance(target)
        if step in states:
            state, coverage, success = states[step]
            np.testing.assert_allclose(world.state, state, rtol=0, atol=1e-6)
            assert world.coverage == pytest.approx(coverage, abs=1e-6)
            assert (world.coverage > SUCCESS_COVERAGE) == success
