"""The steps before and after the policy: those of a diffusion checkpoint, under the same names, with normalisation left out."""

from __future__ import annotations

from typing import Any

import torch
from lerobot.processor import (
    AddBatchDimensionProcessorStep,
    DeviceProcessorStep,
    NormalizerProcessorStep,
    PolicyAction,
    PolicyProcessorPipeline,
    RenameObservationsProcessorStep,
    UnnormalizerProcessorStep,
)
from lerobot.processor.converters import policy_action_to_transition, transition_to_policy_action
from lerobot.utils.constants import POLICY_POSTPROCESSOR_DEFAULT_NAME, POLICY_PREPROCESSOR_DEFAULT_NAME

from .configuration_denoised import DenoisedConfig


def make_denoised_pre_post_processors(
    config: DenoisedConfig,
    dataset_stats: dict[str, dict[str, torch.Tensor]] | None = None,
) -> tuple[
    PolicyProcessorPipeline[dict[str, Any], dict[str, Any]],
    PolicyProcessorPipeline[PolicyAction, PolicyAction],
]:
    """LeRobot calls this by its name.

    The normalising steps are there, because LeRobot's programs address steps by name, and do nothing: the daemon has the
    statistics of the checkpoint, so `dataset_stats` are not used.
    """
    inputs, outputs = config.input_features or {}, config.output_features or {}
    identity = config.normalization_mapping
    return (
        PolicyProcessorPipeline[dict[str, Any], dict[str, Any]](
            steps=[
                RenameObservationsProcessorStep(rename_map=config.rename_map),
                AddBatchDimensionProcessorStep(),
                DeviceProcessorStep(device=config.device),
                NormalizerProcessorStep(features={**inputs, **outputs}, norm_map=identity, stats=None),
            ],
            name=POLICY_PREPROCESSOR_DEFAULT_NAME,
        ),
        PolicyProcessorPipeline[PolicyAction, PolicyAction](
            steps=[
                UnnormalizerProcessorStep(features=outputs, norm_map=identity, stats=None),
                DeviceProcessorStep(device="cpu"),
            ],
            name=POLICY_POSTPROCESSOR_DEFAULT_NAME,
            to_transition=policy_action_to_transition,
            to_output=transition_to_policy_action,
        ),
    )
