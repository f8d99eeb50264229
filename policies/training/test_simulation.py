"""python -m unittest discover policies/training"""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from gym_pusht.envs.pusht import PushTEnv

from episode_files import SimulatedEpisode, load_episodes, missing_groups, save_episodes, successful
from finishing_expert import CLEARANCE, OUTLINE, FinishingExpert, to_world
from frame_source import FrameSource
from generate_finishes import run
from pusht_data import GOAL_POSE, block_keypoints, distance_to_goal
from world import SUCCESS_COVERAGE, World

# Agent far from the block, the block a little off the goal.
NEAR_GOAL = np.array([100.0, 400.0, 262.0, 250.0, GOAL_POSE[2] + 0.1])


class Simulator(unittest.TestCase):
    def test_states_coverage_and_frames_are_those_of_the_environment(self):
        environment, world = PushTEnv(obs_type="pixels_agent_pos"), World()
        random = np.random.default_rng(0)
        for seed in range(2):
            environment.reset(seed=seed)
            world.reset(seed)
            for _ in range(10):
                action = np.array(environment.block.position) + random.normal(0, 60, size=2)
                observation, _, _, _, info = environment.step(action)
                world.advance(action)
                np.testing.assert_array_equal(world.state[:2], observation["agent_pos"])
                np.testing.assert_array_equal(world.state[2:4], info["block_pose"][:2])
                np.testing.assert_array_equal(world.frame, observation["pixels"])
        for pose in GOAL_POSE + random.uniform(-1, 1, size=(50, 3)) * [40, 40, 0.6]:
            state = np.concatenate(([30, 30], pose))
            self.assertTrue(world.place(state))
            environment.block.angle = pose[2]
            environment.block.position = pose[:2].tolist()
            self.assertAlmostEqual(world.coverage, environment._get_coverage(), places=9)

    def test_a_place_inside_the_block_is_not_free(self):
        world = World()
        self.assertTrue(world.place(NEAR_GOAL))
        np.testing.assert_allclose(world.state, NEAR_GOAL)
        self.assertFalse(world.place(np.concatenate((NEAR_GOAL[2:4], NEAR_GOAL[2:]))))


class Expert(unittest.TestCase):
    def test_brings_the_block_onto_the_goal(self):
        world = World()
        world.place(NEAR_GOAL)
        states, actions, success_step = FinishingExpert(np.random.default_rng(0)).finish(world, 100)
        self.assertEqual(len(states), len(actions))
        self.assertTrue(0 < success_step <= len(states))
        # What it returns is what happened: the same actions bring another world to the same place.
        replay = World()
        replay.place(NEAR_GOAL)
        for step, (state, action) in enumerate(zip(states, actions), start=1):
            np.testing.assert_array_equal(replay.state, state)
            replay.advance(action)
            self.assertEqual(replay.coverage > SUCCESS_COVERAGE, step >= success_step, step)

    def test_goes_around_the_block(self):
        expert = FinishingExpert(np.random.default_rng(0))
        agent = to_world(np.array([0.0, -40.0]), NEAR_GOAL[2:])
        push = expert.best_push(np.concatenate((agent, NEAR_GOAL[2:])))
        import shapely

        block = shapely.Polygon(to_world(OUTLINE, NEAR_GOAL[2:]))
        self.assertGreaterEqual(block.distance(shapely.LineString(push.way)), CLEARANCE - 1e-6)
        np.testing.assert_allclose(push.way[0], agent)
        np.testing.assert_allclose(push.way[-1], push.start)
        self.assertLess(push.remaining, distance_to_goal(NEAR_GOAL[2:]))


class Episodes(unittest.TestCase):
    def test_an_episode_depends_on_its_seed_alone(self):
        moments = NEAR_GOAL[None]
        first, again, other = run(3, moments, 60), run(3, moments, 60), run(4, moments, 60)
        np.testing.assert_array_equal(first.state, again.state)
        self.assertFalse(np.array_equal(first.state[:1], other.state[:1]))

    def test_a_folder_keeps_its_episodes_and_knows_what_is_missing(self):
        random = np.random.default_rng(0)
        episodes = [
            SimulatedEpisode(seed, random.uniform(size=(n, 5)), random.uniform(size=(n, 2)), success_step)
            for seed, n, success_step in ((64, 4, 3), (65, 7, -1), (66, 2, 2))
        ]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.assertEqual([seeds.start for _, seeds in missing_groups(folder, 64, 64)], [64, 96])
            save_episodes(missing_groups(folder, 64, 32)[0][0], episodes)
            self.assertEqual([seeds.start for _, seeds in missing_groups(folder, 64, 64)], [96])
            loaded = load_episodes(folder)
        self.assertEqual([episode.seed for episode in loaded], [64, 65, 66])
        np.testing.assert_allclose(loaded[1].state, episodes[1].state, atol=1e-6)
        kept = successful(loaded)
        self.assertEqual(kept.episode_ends.tolist(), [4, 6])
        np.testing.assert_allclose(kept.action[4:], episodes[2].action, atol=1e-6)


class Frames(unittest.TestCase):
    def test_a_batch_depends_on_its_seed_and_labels_what_it_shows(self):
        source = FrameSource(NEAR_GOAL[None])
        first, again = source.batch(6, [0, 1]), source.batch(6, [0, 1])
        np.testing.assert_array_equal(first.frames, again.frames)
        self.assertFalse(np.array_equal(first.frames, source.batch(6, [0, 2]).frames))
        # The block is the only thing of its colour: its middle, seen, is where the label has it.
        world = World()
        world.place(np.concatenate(([30, 30], [150, 350, 1.0])))
        frame = world.frame.astype(int)
        block = np.abs(frame - [143, 163, 184]).sum(axis=-1) < 30
        rows, columns = np.nonzero(block)
        corners = block_keypoints(np.array([150, 350, 1.0])).reshape(8, 2)
        self.assertLess(abs((columns.mean() + 0.5) * 512 / 96 - (corners[:4].mean(axis=0) + corners[4:].mean(axis=0))[0] / 2), 8)
        self.assertLess(abs((rows.mean() + 0.5) * 512 / 96 - (corners[:4].mean(axis=0) + corners[4:].mean(axis=0))[1] / 2), 8)


if __name__ == "__main__":
    unittest.main()
