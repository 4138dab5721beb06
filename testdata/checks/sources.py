"""Reads the workspace's Rust sources for the checks beside this file."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In the order in which they may use each other.
CRATES = ["formats", "recipes/config", "recipes", "bake/guest", "bake/entry", "bake"]


def is_test(path):
    """Whether a file holds tests only."""
    return "tests" in path.parts or path.stem == "tests" or path.stem.endswith("_tests")


def code(text):
    """The lines of a file that are neither comments nor the test module at its end."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        following = next((line for line in lines[number + 1 :] if not line.lstrip().startswith("#[")), "")
        if line == "#[cfg(test)]" and re.match(r"(pub(\(\w+\))? )?mod \w+ \{", following):
            lines = lines[:number]
            break
    return [(number, re.sub(r"//.*", "", line)) for number, line in enumerate(lines, 1)]


def files(crate):
    """The files of a crate that hold more than tests."""
    return [path for path in sorted((ROOT / crate / "src").rglob("*.rs")) if not is_test(path.relative_to(ROOT))]
