"""Rewrites the only layer of an image layout as a gzip file of several members, as `cat a.gz b.gz` makes them.

    members.py LAYOUT TAG
"""

import gzip
import hashlib
import json
import pathlib
import sys

MEMBER = 1 << 20


def main():
    layout, tag = pathlib.Path(sys.argv[1]), sys.argv[2]
    blob = lambda digest: layout / "blobs" / digest.replace(":", "/")

    def put(content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        blob(digest).write_bytes(content)
        return digest

    index = json.loads((layout / "index.json").read_text())
    entry = next(e for e in index["manifests"] if e["annotations"]["org.opencontainers.image.ref.name"] == tag)
    manifest = json.loads(blob(entry["digest"]).read_text())
    layer = manifest["layers"][-1]
    content = gzip.decompress(blob(layer["digest"]).read_bytes())
    several = b"".join(gzip.compress(content[i : i + MEMBER], 1, mtime=0) for i in range(0, len(content), MEMBER))
    layer["digest"], layer["size"] = put(several), len(several)
    text = json.dumps(manifest).encode()
    entry["digest"], entry["size"] = put(text), len(text)
    (layout / "index.json").write_text(json.dumps(index))


main()
