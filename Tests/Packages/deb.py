"""Installs, runs, upgrades, removes and purges the Debian package in a clean root. Tests/Packages/run starts it there."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

from unit import Unit, emulation

SOURCES = pathlib.Path(__file__).resolve().parents[2]
UNIT = "/lib/systemd/system/denoised.service"
KEY = "etc/denoised/keys/arm1.key_secret"
# An emulated processor is slow.
STEPS = ", steps: 5" if emulation() else ""
SETTING = f"http: {{address: 9464}}\nsampler: {{threads: 1, window: 1{STEPS}}}\n"
REQUESTS = "tcp://127.0.0.1:5557"


def check(holds, what):
    if not holds:
        raise AssertionError(what)


class Root:
    """A clean Debian, in which the package is installed."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def path(self, name):
        return self.folder / name.lstrip("/")

    def run(self, *command, expected=0):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        environment |= emulation()
        words = ["chroot", str(self.folder), *command]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        check(done.returncode == expected, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def apt(self, *command):
        return self.run("apt-get", "--yes", "--quiet=2", "--no-install-recommends", *command)

    def files(self):
        return self.run("dpkg-query", "--listfiles", "denoised").split()


# --- What is installed


def check_installation(root, version):
    check(root.run("dpkg-query", "--show", "--showformat", "${Version}", "denoised") == version, "another version")
    check(root.run("dpkg", "--verify", "denoised") == "", "files differ from those of the package")
    own = re.search(r'daemonVersion = "(.+)"', (SOURCES / "Sources/Robotics/Version.swift").read_text())[1]
    check(root.run("denoised", "--version").strip() == own, "another version of the binary")
    check(not list(root.folder.rglob("libswift*")), "Swift is there, so it does not show that the package needs none")
    check(root.run("denoised", "inspect", "/usr/share/denoised/policies/pusht").startswith("pusht\n"), "the shipped policy")
    conffiles = root.run("dpkg-query", "--show", "--showformat", "${Conffiles}", "denoised")
    check("/etc/denoised/denoised.yaml" in conffiles, f"conffiles are {conffiles}")
    user = root.run("getent", "passwd", "denoised").strip().split(":")
    check(int(user[2]) < 1000 and user[6].endswith("nologin"), f"the user is {user}")
    check(not root.path("etc/systemd/system/multi-user.target.wants/denoised.service").exists(), "the service is enabled")


def check_unit(root):
    said = root.run("systemd-analyze", "verify", "--man=no", UNIT)
    check("denoised" not in said, said)
    # In tenths: OPERATIONS.md has the figure.
    root.run("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", UNIT)
    for documented in Unit(root.folder, UNIT).documentation:
        check(root.path(documented.removeprefix("file:")).is_file(), f"{documented} is not there")


def check_manual(root):
    pages = [name for name in root.files() if name.startswith("/usr/share/man/man1/denoised")]
    commands = re.findall(r"^  (\w+) {2,}", root.run("denoised", "--help"), re.MULTILINE)
    check(len(commands) > 8, f"commands are {commands}")
    for command in ["", *(f"-{command}" for command in commands)]:
        check(f"/usr/share/man/man1/denoised{command}.1.gz" in pages, f"no page denoised{command}(1)")
    for page in pages:
        command = ["man", "--warnings", "--encoding=UTF-8", "--local-file", str(root.path(page))]
        done = subprocess.run(command, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
        check(done.returncode == 0 and not done.stderr, f"{page}: {done.stderr}")
        check("EXIT STATUS" in done.stdout and "SEE ALSO" in done.stdout, f"{page} lacks a section")


def check_documentation(root):
    """Every page is there, and each of its links to a file leads to one."""
    folder = root.path("usr/share/doc/denoised")
    pages = sorted(folder.rglob("*.md"))
    sources = {page.name for page in SOURCES.glob("docs/**/*.md")}
    check(sources <= {page.name for page in pages}, f"pages are {pages}, expected {sources}")
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()) if ":" not in link]
    check(len(links) > 100, f"only {len(links)} links")
    for page, link in links:
        check((page.parent / link).resolve().is_file(), f"{page} links to {link}, which is not there")
    linked = {pathlib.Path(link).suffix for _, link in links}
    check({".webp", ".png", ".svg", ".yaml", ".py", ".cpp", ".sbatch"} <= linked, f"links are to {linked}")


def check_pages(root):
    check_manual(root)
    check_documentation(root)


def check_completions(root):
    script = "/usr/share/bash-completion/completions/denoised"
    asked = "COMP_WORDS=(denoised ser); COMP_CWORD=1; _denoised denoised ser denoised; echo ${COMPREPLY[@]}"
    said = root.run("bash", "-c", f"source {script} && complete -p denoised && {asked}")
    check(said.split()[-1] == "serve", f"bash completes `ser` to {said}")
    for shell, file in [
        ("zsh", "/usr/share/zsh/vendor-completions/_denoised"),
        ("fish", "/usr/share/fish/vendor_completions.d/denoised.fish"),
    ]:
        subprocess.run([shell, "-n", str(root.path(file))], check=True)


def check_parts(root, version):
    """The list of parts is valid SPDX, and names what the binary needs and the package depends on."""
    file = root.path("usr/share/doc/denoised/denoised.spdx.json")
    subprocess.run([SOURCES / ".venv-package/bin/pyspdxtools", "--infile", str(file)], check=True, capture_output=True)
    document = json.loads(file.read_text())
    packages = {package["name"]: package for package in document["packages"]}
    check(packages["denoised"]["versionInfo"] in version, f"the list is of {packages['denoised']['versionInfo']}")
    for name in ["swift-nio", "Yams", "swift-runtime", "libyaml-in-Yams", "libopenblas0-pthread", "libzmq5", "libc6"]:
        check(name in packages, f"{name} is not among the parts")
    depends = root.run("dpkg-query", "--show", "--showformat", "${Depends}", "denoised")
    linked = {r["relatedSpdxElement"] for r in document["relationships"] if r["relationshipType"] == "DYNAMIC_LINK"}
    for name, package in packages.items():
        if package["SPDXID"] in linked:
            check(re.sub(r"-pthread$", "", name) in depends, f"{name} is linked, and {depends} does not have it")
    licenses = root.path("usr/share/doc/denoised/licenses-of-linked-code").read_text()
    for text in ["Apache License", "Runtime Library Exception", "Kirill Simonov", "UNICODE LICENSE", "WIDE Project"]:
        check(text in licenses, f"no {text} among the licenses")
    check(len(linked) > 8, f"linked are only {linked}")


# --- What is run


def ask(path):
    with urllib.request.urlopen(f"http://127.0.0.1:9464{path}", timeout=10) as answer:
        return answer.read().decode()


def start(root):
    service = Unit(root.folder, UNIT).start()
    check("serves pusht" in service.wait_until_ready(), "the service does not say what it serves")
    return service


def check_running(root):
    """Runs the unit's command as its user, and an episode through the daemon; then stops all robots."""
    service = start(root)
    check(ask("/healthz").startswith("ok"), "the daemon is not healthy")
    said = root.run("denoised", "sim", "--connect", REQUESTS, "--episodes", "1", "--json")
    check(json.loads(said), "no result of an episode")
    check("denoised_chunks_total 0\n" not in ask("/metrics"), "no chunk was sent")
    root.run("denoised", "stop", "--connect", REQUESTS)
    check(service.stop() == 0, f"the daemon failed:\n{service.said()}")
    state = json.loads(root.path("var/lib/denoised/state.json").read_text())
    check(state["every_robot"], f"the stop was not kept: {state}")
    user = root.run("stat", "--format", "%U %a", "/var/lib/denoised/state.json").split()
    check(user == ["denoised", "600"], f"the state file is of {user}")


# --- What changes


def configure(root):
    """Makes a key and changes the service's options, as whoever installs it does."""
    keys = root.path("etc/denoised/keys")
    keys.mkdir()
    root.run("denoised", "keygen", "/etc/denoised/keys/arm1")
    root.run("chown", "root:denoised", f"/{KEY}")
    root.path(KEY).chmod(0o640)
    options = root.path("etc/denoised/denoised.yaml")
    options.write_text(options.read_text() + SETTING)


def kept(root):
    """What an upgrade must leave as it is."""
    key = root.path(KEY)
    state = root.path("var/lib/denoised/state.json")
    return key.read_bytes(), key.stat().st_mode, key.stat().st_gid, state.read_bytes()


def newer(package, version):
    """The package with the same binary, a higher version, and other default options, as a later release may have them."""
    folder = pathlib.Path(tempfile.mkdtemp())
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "tree"], check=True)
    control = folder / "tree/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
    options = folder / "tree/etc/denoised/denoised.yaml"
    options.write_text(options.read_text() + "# A later release says more here.\n")
    subprocess.run(["dpkg-deb", "--build", "-Znone", folder / "tree", folder / "new.deb"], check=True, capture_output=True)
    return folder / "new.deb"


def check_upgrade(root, package, version):
    """A running daemon goes on, and nothing that somebody made is lost."""
    before = kept(root)
    service = start(root)
    shutil.copy(newer(package, version), root.path("tmp/new.deb"))
    root.apt("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "install", "/tmp/new.deb")
    check(root.run("dpkg-query", "--show", "--showformat", "${Version}", "denoised") == version, "not upgraded")
    check(service.process.poll() is None and ask("/healthz").startswith("ok"), "the upgrade ended the daemon")
    check(kept(root) == before, "the upgrade changed a key or which robots are stopped")
    options = root.path("etc/denoised/denoised.yaml")
    check(options.read_text().endswith(SETTING), "the upgrade changed the options")
    check("later release" in options.with_name("denoised.yaml.dpkg-dist").read_text(), "the new options are nowhere")
    check(service.stop() == 0, f"the daemon failed:\n{service.said()}")
    service = start(root)
    check(json.loads(root.path("var/lib/denoised/state.json").read_text())["every_robot"], "the stop is forgotten")
    root.run("denoised", "resume", "--all", "--connect", REQUESTS)
    check(service.stop() == 0, f"the daemon failed:\n{service.said()}")


def check_removal(root):
    recording = root.path("var/lib/denoised/trial.mcap")
    recording.write_bytes(b"a recording")
    root.apt("remove", "denoised")
    for name in ["usr/bin/denoised", UNIT, "usr/share/denoised", "usr/share/doc/denoised"]:
        check(not root.path(name).exists(), f"{name} is left after the removal")
    for name in [KEY, "etc/denoised/denoised.yaml", "var/lib/denoised/state.json", "var/lib/denoised/trial.mcap"]:
        check(root.path(name).exists(), f"{name} is gone after the removal")
    check(root.path("etc/denoised/denoised.yaml").read_text().endswith(SETTING), "the removal changed the options")


def check_purge(root):
    said = root.apt("purge", "denoised")
    for name in ["etc/denoised/denoised.yaml", "var/lib/denoised/state.json", "var/cache/denoised"]:
        check(not root.path(name).exists(), f"{name} is left after the purge")
    for name in [KEY, "var/lib/denoised/trial.mcap"]:
        check(root.path(name).exists(), f"{name} is gone after the purge")
    check("/var/lib/denoised is not empty and stays" in said, f"the purge does not say what is left: {said}")
    check("denoised" not in root.run("dpkg-query", "--show"), "the package is still known")


def check_purge_leaves_nothing(root, package):
    """Where nobody made anything, nothing is left."""
    for name in ["etc/denoised", "var/lib/denoised"]:
        shutil.rmtree(root.path(name))
    shutil.copy(package, root.path("tmp/denoised.deb"))
    root.apt("install", "/tmp/denoised.deb")
    service = Unit(root.folder, UNIT).start()
    service.wait_until_ready()
    check(service.stop() == 0, f"the daemon failed:\n{service.said()}")
    root.apt("purge", "denoised")
    places = ["etc", "lib/systemd", "usr", "var/lib", "var/cache"]
    known = ("var/lib/dpkg", "var/cache/apt", "var/lib/apt")
    left = [path.relative_to(root.folder) for place in places for path in root.path(place).rglob("*denoised*")]
    left = [str(path) for path in left if not str(path).startswith(known)]
    check(not left, f"the purge left {left}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--package", type=pathlib.Path, required=True)
    options = parser.parse_args()
    root = Root(options.root)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", str(root.path("proc"))], check=True)
    version = subprocess.run(
        ["dpkg-deb", "--field", options.package, "Version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    steps = [
        ("installs without a network", lambda: root.apt("install", "/tmp/denoised.deb")),
        ("has what it should", lambda: check_installation(root, version)),
        ("has a unit that systemd accepts", lambda: check_unit(root)),
        ("has manual pages and documentation", lambda: check_pages(root)),
        ("has completions", lambda: check_completions(root)),
        ("lists its parts", lambda: check_parts(root, version)),
        ("takes keys and options", lambda: configure(root)),
        ("serves", lambda: check_running(root)),
        ("is upgraded", lambda: check_upgrade(root, options.package, version + "+later1")),
        ("is removed", lambda: check_removal(root)),
        ("is purged", lambda: check_purge(root)),
        ("leaves nothing of its own", lambda: check_purge_leaves_nothing(root, options.package)),
    ]
    for what, step in steps:
        try:
            step()
        except (AssertionError, subprocess.CalledProcessError) as failure:
            print(f"  {what}: no\n{failure}")
            return 1
        print(f"  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
