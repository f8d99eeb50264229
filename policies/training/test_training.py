"""python -m unittest discover policies/training"""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler
from gym_pusht.envs.pusht import PushTEnv

from bundle import read_bundle, write_bundle
from noise_schedule import NoiseSchedule
from pusht_data import (
    GOAL_POSE,
    Demonstrations,
    aligned_to_goal,
    block_keypoints,
    distance_to_goal,
    window_indices,
    with_mirror_images,
)
from recipe import PolicyShape, TrainingRecipe
from score_intervals import bootstrap, summary, wilson
from train import Trainer, TrainingData
from windows import Source, statistics_of, training_windows


def random_demonstrations() -> Demonstrations:
    random = np.random.default_rng(0)
    return Demonstrations(
        state=random.uniform(0, [500, 500, 500, 500, 2 * np.pi], size=(60, 5)).astype(np.float32),
        action=random.uniform(0, 500, size=(60, 2)).astype(np.float32),
        episode_ends=np.array([25, 60]),
    )


def small_trainer() -> Trainer:
    demonstrations = random_demonstrations()
    shape = PolicyShape(down_dims=(16, 32), diffusion_step_embed_dim=16)
    recipe = TrainingRecipe(steps=6, batch=8, warmup_steps=2)
    device = torch.device("cpu")
    windows = training_windows([Source(demonstrations)], shape, statistics_of(demonstrations), device)
    return Trainer(shape, recipe, windows, device)


class Data(unittest.TestCase):
    def test_keypoints_are_those_of_the_environment(self):
        environment = PushTEnv(obs_type="environment_state_agent_pos")
        random = np.random.default_rng(0)
        for seed in range(3):
            environment.reset(seed=seed)
            for _ in range(20):
                observation, _, _, _, info = environment.step(random.uniform(0, 512, size=2))
                expected = observation["environment_state"]
                np.testing.assert_allclose(block_keypoints(info["block_pose"]), expected, atol=1e-9)

    def test_aligned_demonstrations_end_at_the_goal_and_keep_their_shape(self):
        recorded = random_demonstrations()
        aligned = aligned_to_goal(recorded)
        for pose in aligned.state[recorded.episode_ends - 1, 2:]:
            np.testing.assert_allclose(pose, GOAL_POSE, atol=1e-4)

        def distances(demonstrations: Demonstrations) -> np.ndarray:
            corners = demonstrations.keypoints.reshape(-1, 8, 2)
            from_agent = corners - demonstrations.agent_position[:, None]
            from_action = corners - demonstrations.action[:, None]
            return np.linalg.norm(np.concatenate((from_agent, from_action)), axis=-1)

        np.testing.assert_allclose(distances(aligned), distances(recorded), atol=1e-2)

    def test_mirror_images_swap_the_corners_of_the_two_sides(self):
        recorded = random_demonstrations()
        both = with_mirror_images(recorded)
        self.assertEqual(both.episode_ends.tolist(), [25, 60, 85, 120])
        corners = recorded.keypoints.reshape(-1, 8, 2)[:, [1, 0, 3, 2, 5, 4, 7, 6]]
        found = both.keypoints[60:].reshape(-1, 8, 2)
        np.testing.assert_allclose(found, 512 - corners[..., ::-1], atol=1e-2)
        np.testing.assert_allclose(both.action[60:], 512 - recorded.action[:, ::-1])

    def test_windows_stay_in_their_episode_and_repeat_its_edges(self):
        observations, actions = window_indices(np.array([20, 40]), 2, 16, 8)
        self.assertEqual(len(observations), 2 * 13)
        self.assertEqual(observations[0].tolist(), [0, 0])
        self.assertEqual(actions[0].tolist(), [0, *range(15)])
        self.assertEqual(observations[12].tolist(), [11, 12])
        self.assertEqual(actions[12].tolist(), [*range(11, 20)] + [19] * 7)
        self.assertEqual(observations[13].tolist(), [20, 20])


class Schedule(unittest.TestCase):
    def test_steps_are_those_of_diffusers(self):
        theirs = DDPMScheduler(num_train_timesteps=100, beta_schedule="squaredcos_cap_v2", clip_sample=True)
        ours = NoiseSchedule(100)
        generator = torch.Generator().manual_seed(0)
        sample, epsilon = torch.randn(2, 4, 16, 2, generator=generator)
        noise = torch.randn(sample.shape, generator=torch.Generator().manual_seed(1))
        for timestep in (99, 50, 1, 0):
            expected = theirs.step(epsilon, timestep, sample, generator=torch.Generator().manual_seed(1))
            found = ours.step(epsilon, timestep, sample, noise)
            torch.testing.assert_close(found, expected.prev_sample, atol=2e-5, rtol=0)
        timesteps = torch.tensor([0, 20, 50, 99])
        expected = theirs.add_noise(sample, epsilon, timesteps)
        torch.testing.assert_close(ours.add_noise(sample, epsilon, timesteps), expected)

    def test_weights_level_what_each_noise_level_asks_of_the_chunk(self):
        schedule = NoiseSchedule(100)
        self.assertTrue(torch.equal(schedule.loss_weights(0), torch.ones(100)))
        weights = schedule.loss_weights(5)
        snr = schedule.alphas_cumprod / (1 - schedule.alphas_cumprod)
        torch.testing.assert_close((weights * snr)[snr > 5], torch.full((int((snr > 5).sum()),), 5.0))
        self.assertTrue(torch.equal(weights[snr <= 5], torch.ones(int((snr <= 5).sum()))))


class Windowing(unittest.TestCase):
    def test_demonstrations_and_finishes_share_the_work_at_a_distance(self):
        demonstrations = random_demonstrations()
        statistics, shape = statistics_of(demonstrations), PolicyShape()
        alone = training_windows(TrainingData(demonstrations, None).sources(200), shape, statistics)
        self.assertEqual(len(alone), 18 + 28)
        both = training_windows(TrainingData(demonstrations, demonstrations).sources(200), shape, statistics)
        observations, _ = window_indices(demonstrations.episode_ends, 2, 16, 8)
        far = distance_to_goal(demonstrations.state[observations[:, -1], 2:]) >= 200
        self.assertTrue(0 < far.sum() < len(far))
        self.assertTrue(torch.equal(both.conditions, torch.cat((alone.conditions[far], alone.conditions))))
        self.assertTrue(torch.equal(both.actions, torch.cat((alone.actions[far], alone.actions))))

    def test_a_scene_takes_the_place_of_the_keypoints(self):
        demonstrations = random_demonstrations()
        statistics, shape = statistics_of(demonstrations), PolicyShape()
        scene = torch.arange(60.0)[:, None].expand(60, 16)
        windows = training_windows([Source(demonstrations, scene)], shape, statistics)
        observations, _ = window_indices(demonstrations.episode_ends, 2, 16, 8)
        found = windows.conditions.unflatten(1, (2, 18))[..., 2:]
        self.assertTrue(torch.equal(found[..., 0], torch.from_numpy(observations).float()))


class Training(unittest.TestCase):
    def test_a_resumed_run_goes_on_as_if_uninterrupted(self):
        whole, first, second = small_trainer(), small_trainer(), small_trainer()
        expected = [whole.step() for _ in range(6)]
        found = [first.step() for _ in range(3)]
        with tempfile.TemporaryDirectory() as folder:
            first.save(Path(folder) / "checkpoint.pt")
            second.load(Path(folder) / "checkpoint.pt")
        found += [second.step() for _ in range(3)]
        self.assertEqual(found, expected)
        for name, tensor in whole.average.state_dict().items():
            self.assertTrue(torch.equal(tensor, second.average.state_dict()[name]), name)

    def test_a_bundle_keeps_shape_statistics_and_rounded_weights(self):
        trainer = small_trainer()
        with tempfile.TemporaryDirectory() as folder:
            weights = trainer.average.state_dict()
            write_bundle(Path(folder), trainer.shape, trainer.recipe, weights, trainer.windows.statistics)
            bundle = read_bundle(Path(folder))
        self.assertEqual(bundle.shape, trainer.shape)
        for name, range_ in trainer.windows.statistics.items():
            self.assertTrue(torch.equal(bundle.statistics[name].minimum, range_.minimum), name)
            self.assertTrue(torch.equal(bundle.statistics[name].maximum, range_.maximum), name)
        found = bundle.network.state_dict()
        self.assertEqual(found.keys(), weights.keys())
        for name, tensor in weights.items():
            self.assertTrue(torch.equal(found[name], tensor.bfloat16().float()), name)


class Intervals(unittest.TestCase):
    def test_wilson_is_the_published_interval(self):
        # Newcombe (1998), table I: 81 of 263, 15 of 148 and 0 of 20.
        for successes, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
            np.testing.assert_allclose(wilson(successes, count), (low, high), atol=5e-5)

    def test_the_bootstrap_agrees_with_the_normal_interval_of_many_scores(self):
        scores = np.random.default_rng(0).normal(0.9, 0.1, size=400)
        half = 1.96 * scores.std() / np.sqrt(len(scores))
        np.testing.assert_allclose(bootstrap(scores), (scores.mean() - half, scores.mean() + half), atol=1e-3)

    def test_a_summary_is_of_all_episodes(self):
        episodes = [{"score": 1.0, "success": True, "steps": 80}] * 3 + [{"score": 0.6, "success": False, "steps": 300}]
        found = summary({"per_episode": episodes})
        self.assertEqual((found["episodes"], found["success_rate"], found["lowest_score"]), (4, 0.75, 0.6))
        self.assertAlmostEqual(found["mean_score"], 0.9)


if __name__ == "__main__":
    unittest.main()
