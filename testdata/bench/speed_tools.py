"""The commands that bench/speed measures, and how it measures them."""

import contextlib
import glob
import os
import shutil
import subprocess
import time
from pathlib import Path

from speed_data import describe, run

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"dpkg-deb": "dpkg", "rpmbuild": "rpm", "tar": "tar", "gzip": "gzip", "pigz": "pigz", "zstd": "zstd",
            "umoci": "umoci", "buildah": "buildah", "skopeo": "skopeo", "mke2fs": "e2fsprogs", "qemu-img": "qemu-utils",
            "npm": "npm"}
CARGO = {"cargo-deb": "3.8.0", "cargo-generate-rpm": "0.21.1"}
MIB = 1 << 20
# Of programs whose level cannot be chosen; some take minutes, so they are run once.
OWN = "(its own level, one run)"


def set_up(home):
    """Installs what is missing and builds the floor; returns where the floor is."""
    home.mkdir(parents=True, exist_ok=True)
    missing = [package for command, package in COMMANDS.items() if shutil.which(command) is None]
    if missing:
        run("apt-get", "-q", "update", stdout=subprocess.DEVNULL)
        run("apt-get", "-q", "-y", "install", "--no-install-recommends", *missing, stdout=subprocess.DEVNULL)
    for name, version in CARGO.items():
        if not (home / "tools/bin" / name).exists():
            run("cargo", "install", "--quiet", "--locked", "--root", home / "tools", f"{name}@{version}")
    run("cargo", "build", "--quiet", "--release", "--locked", "--target-dir", home / "floor",
        "--manifest-path", ROOT / "testdata/bench/floor/Cargo.toml")
    return home / "floor/release/floor"


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sizes(folder, patterns):
    """Returns the bytes of all files that some patterns name, or that lie in what they name."""
    found = [Path(path) for pattern in patterns for path in glob.glob(str(folder / pattern))]
    files = [file for path in found for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in files)


def measure(command, folder, outputs=(), environment=None, stdin=None):
    """Runs a command, words or a line for the shell; `outputs` are patterns of what it writes."""
    words = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
    # What was prepared must not be written back during the run.
    os.sync()
    with open(folder / "errors", "w+") as errors, open(stdin or os.devnull) as source:
        started = time.monotonic()
        process = subprocess.Popen(words, cwd=folder, env=environment, stdin=source, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"ended with {process.returncode}: {command}\n{errors.read()}")
    size = sizes(folder, outputs)
    if outputs and size == 0:
        raise RuntimeError(f"made nothing: {command}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024, "size": size}


class Bake:
    """bake with one recipe: a tree at one codec and level."""

    def __init__(self, program, tree, level, work, formats="deb,rpm,oci,vm"):
        self.work = work / f"bake-{tree.name}-{level.replace(':', '-')}-{formats.replace(',', '-')}"
        self.work.mkdir(parents=True, exist_ok=True)
        self.recipe = tree.parent / f"{self.work.name}.toml"
        compression = f'compression = "{level}"\n'
        self.recipe.write_text(
            'name = "payload"\nversion = "1.0.0"\nsummary = "a tree of files"\nlicense = "MIT"\n'
            'maintainer = "A <a@example.com>"\narchitecture = "native"\nauto-depends = "off"\nsource-date = "2024-01-01T00:00:00Z"\n\n'
            f'[[files]]\nfrom = "{tree.name}/"\nto = "/opt/payload/"\n\n[deb]\n{compression}\n[rpm]\n{compression}\n'
            f'[oci]\n{compression}\n[vm]\nformats = ["qcow2"]\n{compression}')
        self.command = [program, "build", "-q", "-f", self.recipe, "-o", "dist", "--store", "store", "--only", formats]

    def clear(self):
        remove(self.work / "store")
        remove(self.work / "dist")

    def measure(self):
        # A file younger than a tick of the clock is hashed again.
        time.sleep(0.05)
        return measure(self.command, self.work, ["dist/*"])

    def close(self):
        remove(self.work)
        remove(self.recipe)


class Peers:
    """The programs that make the same four outputs of one tree, one after another."""

    def __init__(self, tree, level, work):
        self.tree, self.level = tree, level
        self.codec, self.number = level.split(":")
        self.work = work / "peers"
        self.root = work / f"root-{tree.name}" / "root"
        self.work.mkdir(parents=True, exist_ok=True)
        if not self.root.exists():
            (self.root / "opt").mkdir(parents=True)
            run("cp", "-a", tree, self.root / "opt/payload")
            run("chown", "-R", "0:0", self.root)
        self.shape = describe(tree)

    def steps(self):
        """Yields the name of each program and what it took."""
        image = self.umoci if self.codec == "gzip" else self.buildah
        for name, step in [("dpkg-deb", self.dpkg_deb), ("rpmbuild", self.rpmbuild),
                           (image.__name__, image), ("mke2fs, qemu-img", self.disk)]:
            for path in self.work.iterdir():
                remove(path)
            yield name, step()

    def dpkg_deb(self):
        """With md5sums, which debhelper makes for every package, and so does bake."""
        control = self.root / "DEBIAN"
        control.mkdir(exist_ok=True)
        (control / "control").write_text(
            "Package: payload\nVersion: 1.0.0-1\nArchitecture: amd64\nMaintainer: A <a@example.com>\n"
            "Description: a tree of files\n")
        sums = f"(cd {self.root} && find opt -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)"
        try:
            return measure(f"{sums} && exec dpkg-deb --root-owner-group -Z{self.codec} -z{self.number} -b {self.root}"
                           " payload.deb", self.work, ["payload.deb"])
        finally:
            remove(control)

    def rpmbuild(self):
        """With all cores where rpm can, and without what is not packing: no dependency generators, no stripping, no copy."""
        payload = {"gzip": f"w{self.number}.gzdio", "zstd": f"w{self.number}T0.zstdio"}[self.codec]
        (self.work / "payload.spec").write_text(
            f"%define _binary_payload {payload}\n%define debug_package %{{nil}}\n%define __os_install_post %{{nil}}\n"
            "%define __spec_install_pre %{___build_pre}\n%define _build_id_links none\n"
            "Name: payload\nVersion: 1.0.0\nRelease: 1\nSummary: a tree of files\nLicense: MIT\nAutoReqProv: no\n"
            "%description\na tree of files\n%install\n%clean\n%files\n%defattr(-,root,root)\n/opt/payload\n")
        return measure(f"exec rpmbuild --quiet --define '_topdir {self.work}/top' --define '_rpmdir {self.work}'"
                       f" --define '_tmppath {self.work}' --buildroot {self.root} -bb payload.spec", self.work, ["*/*.rpm"])

    def umoci(self):
        """At the level of its compressor, which cannot be chosen."""
        return measure("umoci init --layout layout && umoci new --image layout:1"
                       f" && exec umoci insert --image layout:1 {self.root}/opt/payload /opt/payload", self.work, ["layout"])

    def buildah(self):
        """As umoci knows no zstd."""
        with storage(self.work) as environment:
            policy = f"--signature-policy {self.work}/policy.json"
            return measure(
                f"container=$(buildah from scratch) && buildah add -q $container {self.root}/opt/payload /opt/payload"
                f" && buildah commit -q {policy} $container localhost/payload:1"
                f" && buildah push -q {policy} --compression-format {self.codec} --compression-level {self.number}"
                " localhost/payload:1 oci:layout:1", self.work, ["layout"], environment)

    def disk(self):
        """qemu-img knows no level: it takes zlib's and zstd's own, 6 and 3. Sixteenth more room, a journal, inodes enough."""
        files = self.shape["files"]
        room = (self.shape["bytes"] + files * 4096) * 17 // 16 // MIB + 64
        return measure(
            f"truncate -s {room}M disk.raw && mke2fs -q -F -t ext4 -m 0 -N {files * 17 // 16 + 1024} -d {self.root} disk.raw"
            f" && exec qemu-img convert -f raw -O qcow2 -c -o compression_type={'zlib' if self.codec == 'gzip' else 'zstd'}"
            " disk.raw disk.qcow2", self.work, ["disk.qcow2"])


@contextlib.contextmanager
def storage(work):
    """Where buildah keeps images, without anyone's settings; its mounts are undone afterwards."""
    (work / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{work}/graph"\nrunroot = "{work}/run"\n')
    (work / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": f"{work}/storage.conf", "HOME": str(work), "TMPDIR": str(work)}
    try:
        yield environment
    finally:
        subprocess.run(["buildah", "rm", "--all"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        unmount(work)


def unmount(folder):
    """Undoes mounts below a folder, those that a run left which was ended early among them."""
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        if line.split()[1].startswith(f"{folder}/"):
            run("umount", line.split()[1])


def crate(work, tree, metadata):
    """A crate for cargo-deb and cargo-generate-rpm, whose assets are the tree."""
    (work / "src").mkdir()
    (work / "src/main.rs").write_text("fn main() {}\n")
    (work / "tree").symlink_to(tree)
    (work / "Cargo.toml").write_text(
        '[package]\nname = "payload"\nversion = "1.0.0"\nedition = "2021"\nauthors = ["A <a@example.com>"]\n'
        f'description = "a tree of files"\nlicense = "MIT"\n\n[workspace]\n\n{metadata}')
    (work / "Cargo.lock").write_text('version = 3\n\n[[package]]\nname = "payload"\nversion = "1.0.0"\n')


def others(tree, level, work, home, plain):
    """Yields name, what it is compared with, shell command and output of programs that make one thing each; `plain` is an
    image layout that is not compressed."""
    codec, number = level.split(":")
    tar = f"tar -C {tree} -cf - ."
    pipes = {"gzip": [("tar, gzip", f"gzip -{number}"), ("tar, pigz", f"pigz -{number}")],
             "zstd": [("tar, zstd -T0", f"zstd -q -T0 -{number}")]}[codec]
    for name, program in pipes:
        yield name, "deb", f"{tar} | {program} >payload.tar.x", "payload.tar.x"
    if codec == "gzip":
        crate(work, tree, '[package.metadata.deb]\ndepends = ""\nassets = [["tree/**/*", "opt/payload/", "644"]]\n')
        yield (f"cargo-deb --fast {OWN}", "deb",
               f"exec {home}/tools/bin/cargo-deb --quiet --fast --no-build --no-strip -Z gz -o payload.deb", "payload.deb")
    crate(work, tree, '[package.metadata.generate-rpm]\n'
                      'assets = [{ source = "tree/**/*", dest = "/opt/payload/", mode = "644" }]\n')
    yield (f"cargo-generate-rpm {OWN}", "rpm",
           f"exec {home}/tools/bin/cargo-generate-rpm --auto-req disabled --payload-compress {codec} -o payload.rpm",
           "payload.rpm")
    yield ("skopeo copy", "oci",
           f"exec skopeo --insecure-policy copy -q --dest-compress --dest-compress-format {codec}"
           f" --dest-compress-level {number} oci:{plain} oci:layout:1", "layout")


def versions():
    """Returns the first line of what each program says of itself."""
    def first(*command):
        answer = subprocess.run(command, capture_output=True, text=True)
        return (answer.stdout + answer.stderr).strip().split("\n")[0].strip("* .,")

    asked = [("dpkg-deb", "--version"), ("rpmbuild", "--version"), ("umoci", "--version"), ("buildah", "--version"),
             ("skopeo", "--version"), ("mke2fs", "-V"), ("qemu-img", "--version"), ("tar", "--version"), ("gzip", "--version"),
             ("pigz", "--version"), ("zstd", "--version")]
    return [*(first(*command) for command in asked), *(f"{name} {version}" for name, version in CARGO.items())]


def machine():
    """Returns what a reader must know of the machine."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} processors ({model}), {memory:.0f} GiB of memory, Linux {os.uname().release.split('-')[0]}"
