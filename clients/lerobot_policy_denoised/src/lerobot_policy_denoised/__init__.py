"""A LeRobot policy of type `denoised`: its actions come from a running `denoised serve`.

LeRobot imports every installed package whose name begins with `lerobot_policy_`; the import registers the type.
"""

from .configuration_denoised import DenoisedConfig
from .modeling_denoised import DenoisedPolicy
from .processor_denoised import make_denoised_pre_post_processors

__all__ = ["DenoisedConfig", "DenoisedPolicy", "make_denoised_pre_post_processors"]
