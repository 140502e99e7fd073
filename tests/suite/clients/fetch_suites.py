"""Fetches the source packages of the drivers that are installed, at their version, into the folder named first.

Prints the folder of each. Wheels have no tests in them, and `pip download` would build what it fetches.
"""

import hashlib
import importlib.metadata
import io
import json
import pathlib
import sys
import tarfile
import urllib.parse
import urllib.request

INDEX = "https://pypi.org/simple/"


def fetch(address, accept="*/*"):
    request = urllib.request.Request(address, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


folder = pathlib.Path(sys.argv[1])
for installed, name in (pair.split(":") for pair in sys.argv[2:]):
    version = importlib.metadata.version(installed)
    place = folder / f"{name}-{version}"
    if not place.is_dir():
        page = f"{INDEX}{name}/"
        files = json.loads(fetch(page, "application/vnd.pypi.simple.v1+json"))["files"]
        wanted = [file for file in files if file["filename"].lower() == f"{name}-{version}.tar.gz"]
        if not wanted:
            sys.exit(f"{page} has no source package of {name} {version}")
        data = fetch(urllib.parse.urljoin(page, wanted[0]["url"]))
        if hashlib.sha256(data).hexdigest() != wanted[0]["hashes"]["sha256"]:
            sys.exit(f"{wanted[0]['filename']} is not what {page} says")
        tarfile.open(fileobj=io.BytesIO(data)).extractall(folder, filter="data")
    print(place)
