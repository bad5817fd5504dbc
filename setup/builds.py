"""The builds of Odoo 17.0 on this machine: the addon runs on each of them."""

import os
from pathlib import Path

from server import StackError

_RELEASE = Path("odoo", "release.py")


def find_builds() -> list:
    """Return the folders of all builds: the one in use, those in ~/.cache and in ODOO_SOURCES.

    :return list: paths, the oldest first by the date of its files
    """
    named = [Path(name) for name in os.environ.get("ODOO_SOURCES", "").split(":") if name]
    if missing := [str(folder) for folder in named if not (folder / _RELEASE).exists()]:
        raise StackError(f"ODOO_SOURCES: no Odoo in {', '.join(missing)}")
    cache = Path.home() / ".cache"
    found = [cache / "odoo-17.0", *cache.glob("odoo-17.0-*"), Path(os.environ["ODOO_SOURCE"])]
    builds = {folder.resolve() for folder in [*named, *found] if (folder / _RELEASE).exists()}
    return sorted(builds, key=lambda folder: (folder / _RELEASE).stat().st_mtime)


def use_build(folder: Path):
    """Have all that this process starts from now on run on a build."""
    os.environ.update(ODOO_SOURCE=str(folder), PYTHONPATH=str(folder))
