"""Writes what huggingface_hub makes of its cache on the disk: where it is, what lies in it, and what it finds in it.

    python Tests/Oracles/hub_cache.py          writes Tests/PolicyTests/Fixtures/hub_cache.json
    python Tests/Oracles/hub_cache.py --check  compares

huggingface_hub downloads made-up repositories from a server of this script, at an address of this machine. Needs
huggingface_hub, any version from 0.30 on; nothing else is asked for over a network.
"""

import hashlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "PolicyTests" / "Fixtures" / "hub_cache.json"

FIRST, SECOND, PULL = (hashlib.sha1(name).hexdigest() for name in (b"first", b"second", b"pull"))
POLICY = {"config.json": b'{"type": "diffusion"}', "model.safetensors": b"weights"}
# Of each repository, the commit of each revision and the files of each commit.
REPOSITORIES = {
    "org/name": (
        {"main": SECOND, "v1": FIRST, "refs/pr/1": PULL},
        {FIRST: POLICY, SECOND: POLICY | {"README.md": b"second"}, PULL: POLICY | {"README.md": b"pull"}},
    ),
    "a.b-c_d/e-f.g": ({"main": FIRST}, {FIRST: POLICY}),
    "org/tagged": ({"v1": FIRST}, {FIRST: POLICY}),
    "org/readme": ({"main": FIRST}, {FIRST: {"README.md": b"no policy"}}),
}
DOWNLOADS = [
    ("org/name", "v1"),
    ("org/name", "main"),
    ("org/name", "refs/pr/1"),
    ("a.b-c_d/e-f.g", "main"),
    ("org/tagged", "v1"),
    ("org/readme", "main"),
]
LOOKUPS = [
    ("org/name", None),
    ("org/name", "main"),
    ("org/name", "v1"),
    ("org/name", "refs/pr/1"),
    ("org/name", FIRST),
    ("org/name", PULL),
    ("org/name", "v2"),
    ("org/name", FIRST[:7]),
    ("a.b-c_d/e-f.g", None),
    ("org/tagged", None),
    ("org/tagged", "v1"),
    ("org/readme", None),
    ("org/absent", None),
]
# Whether these can be names of a repository.
NAMES = [
    *("org/name", "a/b", "a.b-c_d/e-f.g", "org/" + "n" * 96, "org/" + "n" * 97, "org/name.git", "org/na--me"),
    *("org/na..me", "org/-name", "org/name-", "org/.name", "org/name.", "_org/name_", "org/na me"),
    *("org/name/more", "/name", "org/", "../name", "./name", "~/name", "org/na@me"),
]
ENVIRONMENTS = [
    {},
    {"HF_HOME": "/models"},
    {"HF_HOME": "~/models"},
    {"HF_HOME": "$DISK/models"},
    {"HF_HOME": "${DISK}/models"},
    {"HF_HOME": "/$ABSENT/models"},
    {"HF_HOME": "models"},
    {"XDG_CACHE_HOME": "/var/cache"},
    {"XDG_CACHE_HOME": "/var/cache", "HF_HOME": "/models"},
    {"HF_HUB_CACHE": "/hub"},
    {"HF_HUB_CACHE": "~"},
    {"HF_HUB_CACHE": "hub"},
    {"HUGGINGFACE_HUB_CACHE": "/old"},
    {"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/models"},
    {"HF_HUB_CACHE": "/hub", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/models", "XDG_CACHE_HOME": "/var/cache"},
]
PROBE = "from huggingface_hub import constants; import os; print(os.path.abspath(constants.HF_HUB_CACHE))"


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as a download asks for."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *_):
        pass

    def answer(self):
        path = self.path.split("?")[0].replace("%2F", "/")
        for name, (revisions, commits) in REPOSITORIES.items():
            if path.startswith(f"/api/models/{name}/"):
                return self.answer_about(name, revisions, commits, path)
            if path.startswith(f"/{name}/resolve/"):
                return self.answer_file(revisions, commits, path.split("/resolve/")[1])
        self.send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def answer_about(self, name, revisions, commits, path):
        kind, _, revision = path.removeprefix(f"/api/models/{name}/").partition("/")
        commit = revisions.get(revision, revision)
        files = commits[commit]
        if kind == "tree":
            listed = [{"type": "file", "path": file, "size": len(files[file]), "oid": oid(files[file])} for file in files]
            return self.send(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})
        info = {"id": name, "sha": commit, "siblings": [{"rfilename": file} for file in files]}
        self.send(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def answer_file(self, revisions, commits, place):
        revision, _, file = place.rpartition("/")
        commit = revisions.get(revision, revision)
        content = commits[commit].get(file)
        if content is None:
            return self.send(404, b"", {"X-Repo-Commit": commit, "X-Error-Code": "EntryNotFound"})
        self.send(200, content, {"ETag": f'"{oid(content)}"', "X-Repo-Commit": commit})

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def oid(content):
    """The name that git gives a file's content, by which the hub tells files apart."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tree(cache):
    """What lies in the cache: of each file its text, of each link where it leads."""
    found = {}
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache).as_posix()
        # What else lies there differs from version to version.
        if not re.match(r"models--[^/]+/(blobs|refs|snapshots)/", name):
            continue
        if path.is_symlink():
            found[name] = {"link": os.readlink(path)}
        elif path.is_file():
            found[name] = {"text": path.read_text()}
    return found


def folder(variables):
    """Where huggingface_hub looks for its cache, with a home and a working folder that need not exist."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/ada", "DISK": "/disk"} | variables
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-c", PROBE]
        answer = subprocess.run(command, env=environment, cwd=work, check=True, capture_output=True, text=True)
        found = answer.stdout.strip()
        return "/place" + found.removeprefix(work) if found.startswith(work) else found


def is_name(text):
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True


def measure(cache):
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    for repository, revision in DOWNLOADS:
        snapshot_download(repository, revision=revision, max_workers=1)

    def lookup(repository, revision):
        found = try_to_load_from_cache(repository, "config.json", revision=revision)
        snapshot = str(pathlib.Path(found).parent.relative_to(cache)) if isinstance(found, str) else None
        return {"repository": repository, "revision": revision, "snapshot": snapshot}

    return {
        "tree": tree(cache),
        "lookups": [lookup(*asked) for asked in LOOKUPS],
        "names": {name: is_name(name) for name in NAMES},
        "folders": [{"environment": variables, "folder": folder(variables)} for variables in ENVIRONMENTS],
    }


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as cache:
        # Before huggingface_hub is imported, which reads them then.
        os.environ.update(
            HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
            HF_HUB_CACHE=cache,
            HF_HOME=cache,
            HF_HUB_DISABLE_XET="1",
            HF_HUB_DISABLE_TELEMETRY="1",
            HF_HUB_DISABLE_PROGRESS_BARS="1",
        )
        text = json.dumps(measure(pathlib.Path(cache)), indent=2) + "\n"
    if "--check" in sys.argv:
        is_same = OUTPUT.read_text() == text
        print("the cache is read as huggingface_hub reads it" if is_same else "differs")
        return 0 if is_same else 1
    OUTPUT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
