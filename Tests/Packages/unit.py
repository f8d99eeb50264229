"""Runs the command of a systemd unit the way systemd would, as far as that goes without systemd."""

import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess

# Folders that systemd makes for a service: the setting, and where they are.
FOLDERS = {"StateDirectory": "var/lib", "CacheDirectory": "var/cache"}


def emulation():
    """The variable that says which processor is emulated, if one is."""
    return {name: os.environ[name] for name in ["QEMU_CPU"] if name in os.environ}


class Unit:
    """The service of a unit file below a root folder."""

    def __init__(self, root, file):
        self.root = pathlib.Path(root)
        text = (self.root / file.lstrip("/")).read_text()
        self.documentation = " ".join(re.findall(r"^Documentation=(.*)$", text, re.MULTILINE)).split()
        service = re.search(r"^\[Service\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)[1]
        lines = [line for line in service.splitlines() if "=" in line and not line.startswith("#")]
        self.settings = [tuple(line.split("=", 1)) for line in lines]

    def values(self, name):
        return [value for key, value in self.settings if key == name]

    def value(self, name):
        (value,) = self.values(name)
        return value

    def variables(self):
        """What the command finds in its environment: the files come after the unit's own, and win."""
        found = dict(word.split("=", 1) for value in self.values("Environment") for word in shlex.split(value))
        for file in self.values("EnvironmentFile"):
            path = self.root / file.lstrip("-/")
            if path.exists() or not file.startswith("-"):
                lines = [line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#")]
                found |= {name: " ".join(shlex.split(value)) for name, value in (line.split("=", 1) for line in lines)}
        return found

    def command(self):
        """The words of ExecStart: `${NAME}` stays one word, `$NAME` is split at blanks, `%S` is where state is."""
        variables = self.variables()
        words = []
        for word in shlex.split(self.value("ExecStart")):
            whole = re.fullmatch(r"\$(\w+)", word)
            if whole:
                words += variables.get(whole[1], "").split()
            else:
                words.append(re.sub(r"\$\{(\w+)\}", lambda name: variables.get(name[1], ""), word).replace("%S", "/var/lib"))
        return words

    def start(self):
        """Makes the service's folders and starts it as its user."""
        user = self.value("User")
        chroot = ["chroot", str(self.root)]
        for setting, place in FOLDERS.items():
            for name in self.values(setting):
                mode = self.value(f"{setting}Mode")
                command = ["install", "-d", "-m", mode, "-o", user, "-g", user, f"/{place}/{name}"]
                subprocess.run(chroot + command, check=True)
        umask = int(self.value("UMask"), 8)
        notify = Notifications(self.root, "/run/notify")
        environment = self.variables() | emulation() | {"NOTIFY_SOCKET": "/run/notify", "PATH": os.defpath}
        drop = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--no-new-privs", "--bounding-set=-all"]
        place = ["env", "-i", "-C", self.value("WorkingDirectory")]
        words = [f"{name}={value}" for name, value in environment.items()] + self.command()
        log = (self.root / "tmp/log").open("w+")
        process = subprocess.Popen(chroot + drop + place + words, stdout=log, stderr=log, umask=umask)
        return Service(process, notify, log)


class Notifications:
    """The socket at which systemd hears from a service."""

    def __init__(self, root, path):
        place = root / path.lstrip("/")
        place.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(place))
        place.chmod(0o777)
        self.socket.settimeout(60)

    def wait(self, line):
        """Waits for a line such as READY=1, and returns the message that has it."""
        while True:
            message = self.socket.recv(4096).decode()
            if line in message.splitlines():
                return message


class Service:
    """A service that runs."""

    def __init__(self, process, notify, log):
        self.process = process
        self.notify = notify
        self.log = log

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait_until_ready(self):
        try:
            return self.notify.wait("READY=1")
        except TimeoutError:
            raise AssertionError(f"the service is not ready; it said\n{self.said()}") from None

    def stop(self):
        """Ends the service as systemd does, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)
