"""Makes the trees that bench/speed bakes: real ones from Debian, npm and the Rust toolchain, and many small files.

Each is made once and found again by a file NAME.ready beside it. Links are left out: some lead out of the tree, not every
packer takes such, and they weigh nothing.
"""

import multiprocessing
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

EPOCH = 1_600_000_000
MB = 1_000_000
JDK = ["openjdk-17-jre-headless", "openjdk-17-jdk-headless"]
NPM = ["@angular/compiler@21.2.26", "@aws-sdk/client-s3@3.1175.0", "date-fns@4.4.0", "lodash@4.18.1", "next@15.5.29",
       "react-dom@19.3.1", "three@0.187.0", "typescript@5.9.3", "webpack@5.113.0"]
# Where npm cannot be asked.
NODE_DEBIAN = ["node-typescript", "webpack", "node-lodash", "node-date-fns", "node-react-dom", "node-babel7"]
SEED = 20240101
# (bytes of gb, files of node in gb, small files of either set, bytes of big)
FULL = (1000 * MB, 4000, 10_000, 200_000, 8 << 30)
TINY = (50 * MB, 300, 500, 2_000, 64 << 20)
CHUNK = 64 << 10


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


def apart(function, *arguments):
    """Calls a function in a process of its own: what this one once held would count as memory of all that it starts."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit(f"{function.__name__} failed")


class Data:
    """The folder of all trees."""

    def __init__(self, home, tiny):
        self.archives = home / "data/archives"
        self.real = home / "data"
        self.folder = home / ("data-tiny" if tiny else "data")
        self.size, self.node_files, self.few, self.many, self.big_size = TINY if tiny else FULL

    def get(self, name):
        """Returns the folder of a tree, which is made if it is not there; `None` if there is no room."""
        folder = (self.real if name in ("jdk", "node", "rust") else self.folder) / name
        ready = folder.parent / f"{name}.ready"
        if ready.exists():
            return folder
        if name == "big" and shutil.disk_usage(folder.parent).free < self.big_size + (2 << 30):
            return None
        print(f"making the tree {name}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        apart(self.make, name, folder)
        ready.touch()
        return folder

    def make(self, name, folder):
        getattr(self, "make_" + name.replace("-", "_"))(folder)
        for place, folders, names in os.walk(folder):
            for entry in folders + names:
                path = os.path.join(place, entry)
                if os.path.islink(path):
                    os.unlink(path)
                else:
                    os.utime(path, (EPOCH, EPOCH))

    def unpack(self, packages, folder):
        self.archives.mkdir(parents=True, exist_ok=True)
        for package in packages:
            found = sorted(self.archives.glob(f"{package}_*.deb"))
            if not found:
                run("apt-get", "-q", "update", stdout=subprocess.DEVNULL)
                run("apt-get", "-q", "download", "-o", "APT::Sandbox::User=root", package, cwd=self.archives,
                    stdout=subprocess.DEVNULL)
                found = sorted(self.archives.glob(f"{package}_*.deb"))
            run("dpkg-deb", "-x", found[-1], folder)

    def make_jdk(self, folder):
        self.unpack(JDK, folder)

    def make_node(self, folder):
        (folder / "package.json").write_text('{"name": "payload", "version": "1.0.0"}\n')
        install = ["npm", "install", "--silent", "--ignore-scripts", "--no-bin-links", "--no-save", *NPM]
        if subprocess.run(install, cwd=folder, stdout=subprocess.DEVNULL).returncode != 0:
            print("npm installs nothing: the modules are Debian's", file=sys.stderr)
            self.unpack(NODE_DEBIAN, folder)

    def make_rust(self, folder):
        answer = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True)
        shutil.copytree(Path(answer.stdout.strip()) / "lib", folder / "lib", symlinks=True)

    def make_gb(self, folder):
        """All of the JDK, a quarter of node modules, libraries of Rust up to the size; each file that still fits."""
        left = self.size - MB
        for name, share, most in [("jdk", 0.3, 10**6), ("node", 0.25, self.node_files), ("rust", 1.0, 10**6)]:
            source, room, count = self.get(name), min(left, int(self.size * share)), 0
            for path in sorted(path for path in source.rglob("*") if path.is_file()):
                length = path.stat().st_size
                if length > room or count == most:
                    continue
                target = folder / name / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                room, left, count = room - length, left - length, count + 1
        service(folder, 0)

    def make_small_10k(self, folder):
        small(folder, self.few)

    def make_small_200k(self, folder):
        small(folder, self.many)

    def make_big(self, folder):
        """Real data again and again, with a number in each 64 KiB, so that no two are alike."""
        pool = bytearray()
        for path in sorted(path for path in self.get("gb").rglob("*") if path.is_file()):
            pool += path.read_bytes()
            if len(pool) > 256 << 20:
                break
        del pool[len(pool) // CHUNK * CHUNK:]
        with open(folder / "big", "wb") as output:
            for number in range(self.big_size // CHUNK):
                at = number * CHUNK % len(pool)
                output.write(number.to_bytes(8, "little"))
                output.write(memoryview(pool)[at + 8:at + CHUNK])


def service(folder, number, place="app", size=MB):
    """Writes `PLACE/service` by rename; with another number it is another file throughout."""
    apart(write_service, folder, number, place, size)


def write_service(folder, number, place, size):
    path = folder / place / "service"
    path.parent.mkdir(exist_ok=True)
    new = path.with_name("service.new")
    new.write_bytes(words(random.Random(SEED + number), size))
    new.chmod(0o755)
    os.rename(new, path)


def words(source, size):
    """Returns text of words that come as often as words do."""
    known = ["".join(source.choices("etaoinshrdlucmfw", k=source.randint(2, 10))) for _ in range(5000)]
    weights = [1 / (rank + 5) for rank in range(len(known))]
    return " ".join(source.choices(known, weights, k=size // 4)).encode()[:size]


def small(folder, count):
    """Files of 200 to 4000 bytes, 200 in a folder."""
    source = random.Random(SEED)
    pool = words(source, 32 * MB)
    for number in range(count):
        place = folder / f"{number // 40_000:02}/{number // 200 % 200:03}"
        if number % 200 == 0:
            place.mkdir(parents=True)
        size = source.randint(200, 4000)
        at = source.randrange(len(pool) - size)
        (place / f"{number:06}.txt").write_bytes(b"%06d " % number + pool[at:at + size - 7])


def describe(folder):
    """Returns how many files a tree has, and how many bytes."""
    files, size = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            files, size = files + 1, size + os.lstat(os.path.join(place, name)).st_size
    return {"files": files, "bytes": size}
