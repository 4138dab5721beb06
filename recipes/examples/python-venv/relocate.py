"""Makes a virtual environment say that it is somewhere else.

Usage: relocate.py VENV PLACE
"""

import base64
import csv
import hashlib
import sys
from pathlib import Path

venv, place = Path(sys.argv[1]).resolve(), sys.argv[2]

# How it was made is of no use where it goes.
config = venv / "pyvenv.cfg"
lines = [line for line in config.read_text().splitlines() if not line.startswith("command")]
config.write_text("".join(f"{line}\n" for line in lines))

# Scripts for shells and scripts of packages name the interpreter by its path.
for script in sorted((venv / "bin").iterdir()):
    if script.is_file() and not script.is_symlink():
        text = script.read_bytes()
        script.write_bytes(text.replace(str(venv).encode(), place.encode()))

# Packages list their files with digests.
for record in sorted(venv.glob("lib/python*/site-packages/*.dist-info/RECORD")):
    site = record.parent.parent
    with record.open(newline="") as file:
        rows = list(csv.reader(file))
    for row in rows:
        if row[1]:
            data = (site / row[0]).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            row[1:] = [f"sha256={digest}", str(len(data))]
    with record.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(rows))
