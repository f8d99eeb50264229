"""The policy: each observation goes to the daemon, and the actions of its chunks come back."""

from __future__ import annotations

import builtins
import logging
import weakref
from collections import deque
from pathlib import Path
from typing import Any, NoReturn

import torch
from denoised import RequestRejected
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.pretrained import PreTrainedPolicy
from torch import Tensor

from .configuration_denoised import ACTION, NO_TRAINING, DenoisedConfig, camera, feature
from .episodes import Episodes
from .observations import Features
from .robots import Robots


class DenoisedPolicy(PreTrainedPolicy):
    """Plays the episodes of a batch of robots, or of environments, through `denoised serve`.

    LeRobot's loop waits for each chunk, as for any policy: when the actions of a chunk are used up, the next is asked for.

    Raises what the client raises (`denoised.DenoisedError`), and `ValueError` for observations and actions that do not fit the
    daemon's policy.
    """

    config_class = DenoisedConfig
    name = "denoised"
    config: DenoisedConfig

    def __init__(self, config: DenoisedConfig, *inputs: Any, **kwargs: Any) -> None:
        # LeRobot also passes the statistics of a data set, which are the daemon's business.
        super().__init__(config)
        self._robots = Robots(config)
        # Robots that the daemon commands need not be told by silence that the program has ended.
        self._close = weakref.finalize(self, self._robots.close)
        self._features = self._adopt(self._robots.info())
        self._episodes = Episodes(config.first_episode)
        self._is_fresh = True
        self._actions: deque[Tensor] = deque()

    def _adopt(self, info: Any) -> Features:
        """Fills in what the daemon says of its policy, and compares it with what LeRobot knows of the actions."""
        policy, config = info.policy, self.config
        expected = (config.output_features or {}).get(ACTION)
        if expected is not None and tuple(expected.shape) != (policy.action_dim,):
            raise ValueError(
                f"the daemon's policy {policy.name} has actions of {policy.action_dim} numbers, and the environment or data set "
                f"has {list(expected.shape)}"
            )
        features = Features(
            {each.name: each.count for each in policy.features},
            {each.name: (each.height, each.width) for each in policy.cameras},
        )
        config.n_obs_steps, config.horizon, config.n_action_steps = policy.n_obs_steps, policy.horizon, policy.n_action_steps
        described = {name: feature(name, count) for name, count in features.counts.items()}
        described |= {name: camera(*size) for name, size in features.cameras.items()}
        # Under the names that the environment or robot has for them: LeRobot compares these.
        theirs = {ours: name for name, ours in config.rename_map.items()}
        config.input_features = {theirs.get(name, name): each for name, each in described.items()}
        config.output_features = {ACTION: PolicyFeature(type=FeatureType.ACTION, shape=(policy.action_dim,))}
        logging.info("the daemon at %s serves %s, which observes %s", config.endpoint, policy.name, features)
        return features

    def reset(self) -> None:
        """Ends the episode; the next observation begins another."""
        self._is_fresh = True
        self._actions.clear()

    @torch.no_grad()
    def select_action(self, batch: dict[str, Tensor], **kwargs: Any) -> Tensor:
        """The action of one control step for each robot, [robots, action_dim], in the data's units.

        - `batch`: the observations of the step, [robots, ...]. To be called once in each control step.
        """
        chunk = self._observe(batch, wants_chunk=not self._actions)
        if chunk is not None:
            self._actions.extend(chunk.unbind(dim=1))
        return self._actions.popleft()

    @torch.no_grad()
    def predict_action_chunk(self, batch: dict[str, Tensor], **kwargs: Any) -> Tensor:
        """The chunk that a step's observations lead to, [robots, n_action_steps, action_dim], in the data's units.

        The observations enter the daemon's history, as those of `select_action` do.
        """
        chunk = self._observe(batch, wants_chunk=True)
        assert chunk is not None
        return chunk

    def forward(self, batch: dict[str, Tensor]) -> NoReturn:
        """Refuses: there is nothing to train here."""
        raise NotImplementedError(NO_TRAINING)

    def get_optim_params(self) -> NoReturn:
        """Refuses: there is nothing to train here."""
        raise NotImplementedError(NO_TRAINING)

    def _observe(self, batch: dict[str, Tensor], wants_chunk: bool) -> Tensor | None:
        observations = self._features.split(batch)
        if self._is_fresh:
            self._robots.begin(self._episodes.take(len(observations)))
            self._is_fresh = False
        try:
            chunks = self._robots.observe(observations, wants_chunk)
        except RequestRejected as error:
            if error.code == "missing_feature" and (lacking := self._features.lacking(batch)) is not None:
                raise lacking from error
            raise
        if chunks is None:
            return None
        return torch.from_numpy(chunks).to(self.config.device)

    # There are no weights to save or to load: a folder has the configuration and the processors.

    def _save_pretrained(self, save_directory: Path, state_dict: dict[str, Tensor] | None = None) -> None:
        from .processor_denoised import make_denoised_pre_post_processors

        self.config._save_pretrained(save_directory)
        for pipeline in make_denoised_pre_post_processors(self.config):
            pipeline.save_pretrained(save_directory)

    @classmethod
    def from_pretrained(
        cls: builtins.type[DenoisedPolicy],
        pretrained_name_or_path: str | Path | None = None,
        *,
        config: DenoisedConfig | None = None,
        **kwargs: Any,
    ) -> DenoisedPolicy:
        """A policy of a configuration, or of the folder that `save_pretrained` wrote; nothing else is read."""
        if config is None:
            if pretrained_name_or_path is None:
                raise ValueError("expected a configuration, or the folder of one")
            config = DenoisedConfig.from_pretrained(pretrained_name_or_path, **kwargs)
        return cls(config).eval()
