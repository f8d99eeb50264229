"""The launch file, the parameter files and what the package says of itself, without ROS."""

import ast
import pathlib
import re
import xml.etree.ElementTree as ElementTree

import pytest

from denoised_ros2.parameters import BUILT_IN, NODE_PARAMETERS, read_settings

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]
LAUNCH = PACKAGE / "launch/denoised.launch.py"
SETUP = PACKAGE / "setup.py"
EXAMPLES = sorted(path.name for path in (PACKAGE / "config").glob("*.yaml"))


def calls(path, name):
    """The calls of a function in a Python file, which is compiled and not run."""
    tree = ast.parse(path.read_text(), str(path))
    compile(tree, str(path), "exec")
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name]


def keywords(call):
    return {keyword.arg: keyword.value for keyword in call.keywords}


def literals(nodes):
    return [node.value for node in nodes if isinstance(node, ast.Constant)]


def parameters_of(text):
    """The parameters in a file for the node, name to value, as ROS names them."""
    yaml = pytest.importorskip("yaml")
    given = {}

    def flatten(prefix, values):
        for key, value in values.items():
            if isinstance(value, dict):
                flatten(f"{prefix}{key}.", value)
            else:
                given[prefix + key] = value

    flatten("", yaml.safe_load(text)["/**"]["ros__parameters"])
    return given


def test_the_launch_file_starts_the_node_that_the_package_has():
    (node,) = calls(LAUNCH, "Node")
    (setup,) = calls(SETUP, "setup")
    package, executable = literals([keywords(node)["package"], keywords(node)["executable"]])
    assert [package] == [path.name for path in (PACKAGE / "resource").iterdir()]
    (script,) = re.findall(r'"console_scripts": \[f"(\w+) = \{PACKAGE\}\.node:main"\]', SETUP.read_text())
    assert executable == script
    # What is installed of it.
    assert "launch/*.launch.py" in ast.unparse(keywords(setup)["data_files"])


def test_the_launch_file_passes_parameters_that_the_node_has():
    (node,) = calls(LAUNCH, "Node")
    passed = [key for part in keywords(node)["parameters"].elts if isinstance(part, ast.Dict) for key in literals(part.keys)]
    assert passed == ["use_sim_time"]
    assert set(passed) <= {parameter.name for parameter in NODE_PARAMETERS} | set(BUILT_IN)


def test_the_launch_file_uses_the_arguments_that_it_declares():
    declared = [literals(call.args)[0] for call in calls(LAUNCH, "DeclareLaunchArgument")]
    assert len(set(declared)) == len(declared)
    assert {literals(call.args)[0] for call in calls(LAUNCH, "LaunchConfiguration")} == set(declared)
    # The README names them.
    said = re.findall(r"\b(\w+):=", (PACKAGE / "README.md").read_text())
    assert said and set(said) <= set(declared)


def test_the_launch_file_has_an_example_that_is_installed():
    (path,) = calls(LAUNCH, "PathJoinSubstitution")
    folder, file = literals(path.args[0].elts[1:])
    assert folder == "config" and file in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_parameters_of_the_node(name):
    given = parameters_of((PACKAGE / "config" / name).read_text())
    settings = read_settings(given)
    assert set(given) <= set(settings.values)
    assert len(settings.joints) == {"arm6.yaml": 6, "pusht.yaml": 2}[name]


def test_the_example_of_the_readme_is_parameters_of_the_node():
    (example,) = re.findall(r"```yaml\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    settings = read_settings(parameters_of(example.replace("\n   ", "\n").removeprefix("   ")))
    assert (settings.output.mode, list(settings.inputs)) == ("commands", ["arm", "front"])


def test_the_readme_has_every_parameter():
    text = (PACKAGE / "README.md").read_text()
    for parameter in NODE_PARAMETERS:
        assert f"`{re.sub(r'qos[.].*', 'qos.*', parameter.name)}`" in text


def test_the_package_is_described_in_one_way():
    package = ElementTree.parse(PACKAGE / "package.xml").getroot()
    (setup,) = calls(SETUP, "setup")
    said = {name: value.value for name, value in keywords(setup).items() if isinstance(value, ast.Constant)}
    maintainer, license = package.find("maintainer"), package.find("license")
    assert (package.findtext("version"), license.text) == (said["version"], said["license"])
    assert (maintainer.text, maintainer.get("email")) == (said["maintainer"], said["maintainer_email"])
    assert (PACKAGE / license.get("file")).read_text() == (ROOT / "LICENSE").read_text()
    # One version with the client.
    assert f'version = "{said["version"]}"' in (ROOT / "clients/python/pyproject.toml").read_text()
