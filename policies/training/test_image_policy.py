"""python -m unittest discover policies/training"""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bundle import WEIGHTS, is_exact, read_bundle, write_bundle
from checkpoint import FixedEncoder, read_checkpoint
from frame_source import FrameSource
from image_encoder import EncoderShape, ImageEncoder, SpatialSoftmax
from image_policy import IMITATED, features_of, mish_weights, with_lines, with_spread_condition
from network import DiffusionNetwork
from noise_schedule import NoiseSchedule
from normalization import ENVIRONMENT_STATE, STATE, Range, condition, condition_on
from policy import Policy
from recipe import PolicyShape, TrainingRecipe
from test_training import random_demonstrations, small_trainer
from train import Trainer
from train_encoder import FRAME_NORMALIZATION, EncoderRecipe, EncoderTrainer
from train_image import cached_features
from windows import Source, training_windows

SMALL_ENCODER = EncoderShape(widths=(16, 16, 16, 16))


def small_encoder(keypoints: int = 32) -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(replace(SMALL_ENCODER, keypoints=keypoints)).eval()


def small_encoder_trainer(steps: int) -> EncoderTrainer:
    source = FrameSource(random_demonstrations().state.astype(np.float64))
    keypoint_range = Range(torch.full((16,), 0.0), torch.full((16,), 512.0))
    return EncoderTrainer(SMALL_ENCODER, EncoderRecipe(batch=2, warmup_steps=2), steps, keypoint_range, source)


class Encoder(unittest.TestCase):
    def test_spatial_softmax_finds_a_peak_in_x_and_y(self):
        pool = SpatialSoftmax(1, 3, 1)
        nn.init.ones_(pool.nets.weight)
        nn.init.zeros_(pool.nets.bias)
        peak = torch.zeros(1, 1, 3, 3)
        peak[0, 0, 0, 2] = 100
        torch.testing.assert_close(pool(peak), torch.tensor([[[1.0, -1.0]]]))

    def test_sees_the_middle_of_the_frame_only(self):
        encoder = small_encoder()
        frames = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
        margin = frames.clone()
        margin[..., :6, :] = margin[..., 90:, :] = margin[..., :6] = margin[..., 90:] = 0
        middle = frames.clone()
        middle[..., 6, 6] += 1
        with torch.inference_mode():
            features = encoder(frames)
            self.assertEqual(features.shape, (2, 64))
            self.assertTrue(torch.equal(encoder(margin), features))
            self.assertFalse(torch.equal(encoder(middle), features))
            self.assertGreaterEqual(features.min().item(), 0)

    def test_a_resumed_run_goes_on_as_if_uninterrupted(self):
        whole, first, second = (small_encoder_trainer(4) for _ in range(3))
        expected = [whole.step() for _ in range(4)]
        found = [first.step() for _ in range(2)]
        with tempfile.TemporaryDirectory() as folder:
            first.save(Path(folder) / "checkpoint.pt")
            second.load(Path(folder) / "checkpoint.pt")
        found += [second.step() for _ in range(2)]
        self.assertEqual(found, expected)
        frames = second.source.batch(3, [9, 9])
        self.assertEqual(second.error(frames), whole.error(frames))

    def test_the_learning_rate_rises_stays_and_falls_to_nothing(self):
        trainer = small_encoder_trainer(100)
        rates = []
        for trainer.step_count in (0, 1, 50, 60, 80, 100):
            rates.append(trainer.learning_rate() / trainer.recipe.learning_rate)
        np.testing.assert_allclose(rates, [0.5, 1, 1, 1, 0.5, 0], atol=1e-12)


class Assembly(unittest.TestCase):
    def test_mish_of_the_lines_is_mish_of_the_keypoint(self):
        weights, offset = mish_weights()
        k = torch.linspace(*IMITATED, 97)
        features = nn.functional.mish(features_of(k[:, None]))
        torch.testing.assert_close(features @ weights + offset, nn.functional.mish(k), atol=0.012, rtol=0)

    def test_the_encoder_gives_the_lines_of_the_keypoints_it_sees(self):
        encoder = small_encoder()
        frames = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            keypoints = encoder.linear(frames)[:, :16]
            encoder.load_state_dict(with_lines(encoder.state_dict(), 16))
            torch.testing.assert_close(encoder(frames), features_of(keypoints), atol=1e-5, rtol=0)

    def test_the_unet_predicts_from_features_as_it_does_from_keypoints(self):
        trainer = small_trainer()
        shape, statistics = trainer.shape, trainer.windows.statistics
        spread = with_spread_condition(trainer.network.state_dict(), shape.diffusion_step_embed_dim, shape.n_obs_steps, 2)
        network = DiffusionNetwork(replace(shape, encoder=EncoderShape()).unet_shape())
        network.load_state_dict(spread)
        generator = torch.Generator().manual_seed(0)
        state = 500 * torch.rand(5, 2, 2, generator=generator)
        keypoints = 500 * torch.rand(5, 2, 16, generator=generator)
        sample, timesteps = torch.randn(5, 16, 2, generator=generator), torch.tensor([0, 20, 50, 80, 99])
        with torch.inference_mode():
            expected = trainer.network(sample, timesteps, condition(statistics, state, keypoints))
            features = features_of(statistics[ENVIRONMENT_STATE].normalize(keypoints))
            found = network(sample, timesteps, condition_on(statistics, state, features))
        # Without the condition, the difference would be of the size of the outputs.
        torch.testing.assert_close(found, expected, atol=0.03, rtol=0)


class ImageBundle(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        keypoints = small_trainer()
        # The widths of the encoder are LeRobot's, which the folder does not tell.
        self.shape = replace(keypoints.shape, environment_state_count=0, encoder=EncoderShape())
        torch.manual_seed(0)
        encoder = FixedEncoder(ImageEncoder(self.shape.encoder).state_dict(), FRAME_NORMALIZATION)
        statistics = keypoints.windows.statistics
        windows = training_windows([], self.shape, {name: statistics[name] for name in (STATE, "action")})
        self.trainer = Trainer(self.shape, TrainingRecipe(steps=0), windows, torch.device("cpu"), encoder)
        self.trainer.save(self.folder / "checkpoint.pt")
        self.trained = read_checkpoint(self.folder / "checkpoint.pt")
        weights = self.trained.policy_weights
        write_bundle(self.folder, self.shape, self.trained.recipe, weights, self.trained.statistics, self.trained.encoder.frames)

    def test_keeps_encoder_shape_and_normalisation(self):
        bundle = read_bundle(self.folder)
        self.assertEqual(bundle.shape, self.shape)
        torch.testing.assert_close(bundle.frames.mean, FRAME_NORMALIZATION.mean)
        torch.testing.assert_close(bundle.frames.deviation, FRAME_NORMALIZATION.deviation)
        found = bundle.network.state_dict()
        self.assertEqual(found.keys(), self.trained.policy_weights.keys())
        for name, tensor in self.trained.policy_weights.items():
            expected = tensor if is_exact(name) else tensor.bfloat16().float()
            self.assertTrue(torch.equal(found[name], expected), name)
        config = json.loads((self.folder / "config.json").read_text())
        self.assertEqual(list(config["input_features"]), ["observation.state", "observation.image"])
        self.assertEqual(config["crop_shape"], [84, 84])
        self.assertGreater((self.folder / WEIGHTS).stat().st_size, 2 * 11_000_000)

    def test_a_chunk_depends_on_every_frame_of_the_history(self):
        policy = Policy(self.folder)
        policy.schedule = NoiseSchedule(2)
        generator = torch.Generator().manual_seed(0)
        state = 500 * torch.rand(1, 2, 2, generator=generator)
        frames = torch.randint(256, (1, 2, 96, 96, 3), generator=generator, dtype=torch.uint8)
        noise = torch.randn(3, 1, 16, 2, generator=generator)
        chunk = policy.chunk(state, frames, noise).action
        self.assertEqual(chunk.shape, (1, 8, 2))
        for step in range(2):
            changed = frames.clone()
            changed[:, step] = 255 - changed[:, step]
            self.assertFalse(torch.equal(policy.chunk(state, changed, noise).action, chunk), step)


class Features(unittest.TestCase):
    def test_are_computed_once(self):
        encoder, states = small_encoder(), random_demonstrations().state[:5]
        with tempfile.TemporaryDirectory() as folder:
            [first] = cached_features(Path(folder), encoder, [states])
            self.assertEqual(first.shape, (5, 64))
            nn.init.zeros_(encoder.out.weight)
            [again] = cached_features(Path(folder), encoder, [states])
        self.assertTrue(torch.equal(first, again))
        windows = training_windows(
            [Source(replace(random_demonstrations(), state=np.repeat(states, 12, axis=0)), first.repeat_interleave(12, 0))],
            replace(PolicyShape(), environment_state_count=0, encoder=EncoderShape()),
            small_trainer().windows.statistics,
        )
        self.assertEqual(windows.conditions.shape[1], 2 * (2 + 64))


if __name__ == "__main__":
    unittest.main()
