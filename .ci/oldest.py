"""Print the oldest releases that pyproject.toml admits, one a line, as pip takes them.

Of the extras those that a few tests need; torch alone would be a gigabyte.
"""

import tomllib
from pathlib import Path

text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
project = tomllib.loads(text)["project"]
extras = project["optional-dependencies"]
wanted = [*project["dependencies"], *extras["test"]]
for requirement in dict.fromkeys(wanted):
    name, admits, release = requirement.partition(">=")
    if admits:
        print(f"{name}=={release}")
