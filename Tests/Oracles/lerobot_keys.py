"""Lists the keys that each LeRobot release writes into the config.json of a diffusion policy.

    python Tests/Oracles/lerobot_keys.py          writes Tests/PolicyTests/Fixtures/lerobot_keys.json
    python Tests/Oracles/lerobot_keys.py --check  compares

Downloads each release from the package index and reads the two dataclasses from its sources, without running them:
PreTrainedConfig and DiffusionConfig. Needs pip and nothing else.
"""

import ast
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

RELEASES = ["0.3.3", "0.4.0", "0.4.1", "0.4.2", "0.4.3", "0.4.4", "0.5.0", "0.5.1", "0.6.0", "0.6.1"]
CLASSES = {
    "lerobot/configs/policies.py": "PreTrainedConfig",
    "lerobot/policies/diffusion/configuration_diffusion.py": "DiffusionConfig",
}
OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "PolicyTests" / "Fixtures" / "lerobot_keys.json"


def fields(source, name):
    """The names of a dataclass's fields, in order."""
    (found,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and node.name == name]
    return [
        node.target.id
        for node in found.body
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation)
    ]


def keys(release, folder):
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        + ["--python-version", "3.12", "--dest", folder, f"lerobot=={release}"],
        check=True,
    )
    (wheel,) = pathlib.Path(folder).glob(f"lerobot-{release}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = [name for path, name in CLASSES.items() for name in fields(archive.read(path), name)]
    # The name under which the configuration is registered comes first.
    return ["type"] + list(dict.fromkeys(found))


def main():
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps({release: keys(release, folder) for release in RELEASES}, indent=2) + "\n"
    if "--check" in sys.argv:
        is_same = OUTPUT.read_text() == text
        print("the keys are those of the releases" if is_same else "differs")
        return 0 if is_same else 1
    OUTPUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
