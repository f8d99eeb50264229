"""CURVE: a daemon that lets in whose key it knows."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from support import OBSERVATION, TINY, Daemon, binary, wait_until

from denoised import InvalidKeys, Keys, NoReply, Robot


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Key pairs of the daemon, of a robot that it lets in, and of one that it does not."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("server", "arm1", "stranger"):
        subprocess.run([binary(), "keygen", name], cwd=folder, check=True, capture_output=True)
    (folder / "clients").mkdir()
    shutil.copy(folder / "arm1.key", folder / "clients")
    return folder


@pytest.fixture(scope="module")
def guarded(folder: pathlib.Path) -> Iterator[Daemon]:
    with Daemon(TINY, "--curve-key", f"{folder}/server.key_secret", "--curve-clients", f"{folder}/clients") as daemon:
        yield daemon


def test_the_right_keys_are_let_in(folder: pathlib.Path, guarded: Daemon) -> None:
    keys = Keys.load(folder / "arm1.key_secret", folder / "server.key")
    assert "secret" not in repr(keys)
    with Robot(guarded.address, "arm1", keys=keys, hz=50) as robot:
        assert robot.predict(OBSERVATION).robot == "arm1"
        wait_until(lambda: robot.publish(OBSERVATION) and robot.chunk and robot.chunk.step > 0, "a chunk")
        assert robot.stop().robots == 1 and robot.resume().robots == 1


@pytest.mark.parametrize("pair, server", [("stranger", "server"), ("arm1", "stranger"), (None, None)])
def test_others_are_told_that_they_are_refused(
    folder: pathlib.Path, guarded: Daemon, pair: str | None, server: str | None
) -> None:
    keys = Keys.load(folder / f"{pair}.key_secret", folder / f"{server}.key") if pair else None
    robot = Robot(guarded.address, "arm1", keys=keys)
    with pytest.raises(NoReply) as error:
        robot.connect(0.7)
    robot.close()
    assert "refuses a connection " + ("with these keys" if pair else "without keys") in error.value.hint


def test_keys_for_a_daemon_that_has_none(folder: pathlib.Path, daemon: Daemon) -> None:
    robot = Robot(daemon.address, "arm1", keys=Keys.load(folder / "arm1.key_secret", folder / "server.key"))
    with pytest.raises(NoReply, match="refuses a connection with these keys"):
        robot.connect(0.7)
    robot.close()


def test_certificates_that_cannot_be_used(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    secret, public = folder / "arm1.key_secret", folder / "server.key"
    open_to_all = tmp_path / "open.key_secret"
    shutil.copy(secret, open_to_all)
    os.chmod(open_to_all, 0o644)
    mixed = tmp_path / "mixed.key_secret"
    theirs = (folder / "stranger.key").read_text().split("public-key")[1].splitlines()[0]
    mine = secret.read_text().split("public-key")[1].splitlines()[0]
    mixed.write_text(secret.read_text().replace(mine, theirs))
    mixed.chmod(0o600)
    (tmp_path / "empty.key").write_text("nothing\n")
    (tmp_path / "short.key").write_text('metadata\ncurve\n    public-key = "abc"\n')
    (tmp_path / "binary.key").write_bytes(bytes(range(256)))
    (tmp_path / "large.key").write_bytes(bytes(70_000))
    cases = [
        (tmp_path / "none.key_secret", public, "No such file or directory"),
        (open_to_all, public, "mode 0644, expected 0600"),
        (folder / "arm1.key", public, "found a public certificate, expected the secret one"),
        (secret, folder / "server.key_secret", "found a secret certificate, expected the daemon's public one"),
        (mixed, public, "keys that do not belong together"),
        (secret, tmp_path / "empty.key", "no public key in it"),
        (secret, tmp_path / "short.key", "a key of 3 characters"),
        (secret, tmp_path / "binary.key", "expected a certificate"),
        (secret, tmp_path / "large.key", "70000 bytes"),
    ]
    for mine_path, server, says in cases:
        with pytest.raises(InvalidKeys) as error:
            Keys.load(mine_path, server)
        assert says in str(error.value)
        assert error.value.field in (str(mine_path), str(server))
