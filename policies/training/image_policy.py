"""An image policy made of a keypoint policy and an encoder that sees keypoints.

Behind LeRobot's encoder comes a ReLU, and the UNet passes its condition through Mish, which a sum of ReLUs can imitate:
Mish of each feature of a few straight lines over a keypoint, weighted, gives Mish of that keypoint to about 0.01. So the
keypoint policy's UNet works on features as it does on keypoints, once the weights of its condition are spread.
"""

import torch
from torch import Tensor, nn

from image_encoder import EncoderShape

# A keypoint's coordinate k, normalised, makes the features relu(slope (k - root)).
LINES = ((2.0, 0.0), (2.0, -0.5), (2.0, -1.2), (-2.0, 0.75))
_SLOPES = torch.tensor([slope for slope, _ in LINES])
_ROOTS = torch.tensor([root for _, root in LINES])
# Where Mish is imitated: a little more than the range of normalised keypoints.
IMITATED = (-1.2, 1.2)
# A drop of accuracy for smaller weights, which rounding disturbs less.
RIDGE = 1e-3


def mish_weights() -> tuple[Tensor, float]:
    """Weights [lines] and an offset: their sum with Mish of the features is Mish of the coordinate, nearly."""
    k = torch.linspace(*IMITATED, 121, dtype=torch.float64)
    features = nn.functional.mish(torch.relu(_SLOPES * (k[:, None] - _ROOTS)))
    columns = torch.cat((features, torch.ones(len(k), 1, dtype=torch.float64)), dim=1)
    ridge = (RIDGE**0.5) * torch.eye(len(LINES) + 1, dtype=torch.float64)
    ridge[-1, -1] = 0
    goal = torch.cat((nn.functional.mish(k), torch.zeros(len(LINES) + 1, dtype=torch.float64)))
    solution = torch.linalg.lstsq(torch.cat((columns, ridge)), goal[:, None]).solution[:, 0]
    return solution[:-1].float(), solution[-1].item()


def features_of(keypoints: Tensor) -> Tensor:
    """Normalised keypoints [..., 16] -> the features [..., 64] that the encoder gives for them, line by line."""
    return torch.relu(_SLOPES[:, None] * (keypoints[..., None, :] - _ROOTS[:, None])).flatten(start_dim=-2)


def with_lines(encoder: dict[str, Tensor], keypoint_count: int) -> dict[str, Tensor]:
    """The encoder's weights, whose first outputs are normalised keypoints, with the lines over them as outputs."""
    weight, bias = encoder["out.weight"][:keypoint_count], encoder["out.bias"][:keypoint_count]
    lines = {
        "out.weight": torch.cat([slope * weight for slope, _ in LINES]),
        "out.bias": torch.cat([slope * (bias - root) for slope, root in LINES]),
    }
    return {**encoder, **lines}


def with_spread_condition(unet: dict[str, Tensor], embedding: int, n_obs_steps: int, state: int) -> dict[str, Tensor]:
    """A keypoint policy's weights, changed to take features in place of normalised keypoints."""
    weights, offset = mish_weights()
    changed = dict(unet)
    for name in [name for name in unet if name.endswith("cond_encoder.1.weight")]:
        columns, bias = unet[name], unet[name.replace("weight", "bias")].clone()
        count = (columns.shape[1] - embedding) // n_obs_steps
        spread = [columns[:, :embedding]]
        for step in columns[:, embedding:].split(count, dim=1):
            spread.append(step[:, :state])
            spread += [weight * step[:, state:] for weight in weights]
            bias += offset * step[:, state:].sum(dim=1)
        changed[name] = torch.cat(spread, dim=1)
        changed[name.replace("weight", "bias")] = bias
    return changed


def encoder_shape(keypoint_count: int) -> EncoderShape:
    return EncoderShape(keypoints=len(LINES) * keypoint_count // 2)
