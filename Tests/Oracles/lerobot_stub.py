"""Lets LeRobot's diffusion policy import where torchvision's compiled part is not to be had.

torchvision's wheels are built for one exact build of torch; next to a CPU-only torch they do not load. LeRobot uses it
for image inputs only, so an empty stand-in is enough here.
"""

import importlib.machinery
import sys
import types


class _Absent(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for _name in (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.v2",
    "torchvision.transforms.v2.functional",
    "torchvision.transforms.functional",
    "torchvision.models",
):
    if _name not in sys.modules:
        _module = _Absent(_name)
        _module.__spec__ = importlib.machinery.ModuleSpec(_name, loader=None)
        _module.__path__ = []
        sys.modules[_name] = _module
        _parent, _, _child = _name.rpartition(".")
        if _parent:
            setattr(sys.modules[_parent], _child, _module)
