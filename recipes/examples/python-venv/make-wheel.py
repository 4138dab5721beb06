"""Packs src/tally as a wheel (PEP 427), with fixed dates and order.

Usage: make-wheel.py VERSION FOLDER
"""

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

version, folder = sys.argv[1], Path(sys.argv[2])
source = Path(__file__).parent / "src"
info = f"tally-{version}.dist-info"
files = {str(path.relative_to(source)): path.read_bytes() for path in sorted(source.glob("tally/*.py"))}
files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: tally\nVersion: {version}\n".encode()
files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: make-wheel\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
files[f"{info}/entry_points.txt"] = b"[console_scripts]\ntally = tally.__main__:main\n"


def record(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


listed = "".join(record(name, data) for name, data in files.items())
files[f"{info}/RECORD"] = f"{listed}{info}/RECORD,,\n".encode()
with zipfile.ZipFile(folder / f"tally-{version}-py3-none-any.whl", "w") as wheel:
    for name, data in files.items():
        wheel.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
