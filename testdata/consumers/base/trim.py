"""Makes the tar of a base image's root from that of a whole Debian, without unpacking it.

    trim.py DEBIAN.tar OUT.tar [PATH=TEXT...] [PATH+=TEXT...] [old-libc] [unmerged] [without-libc]

What is kept has the owners, modes and links that Debian gave it; a shell, the loader and the C library are enough to
run a program. PATH=TEXT is another text for a file, PATH+=TEXT more of it. `old-libc` has a C library that does not
know the symbol version that programs begin with; `unmerged` has /lib as a folder of its own; `without-libc` has
neither a loader nor a library.
"""

import io
import sys
import tarfile

PROGRAMS = {"sh", "dash", "bash", "cat", "ls", "id", "env"}
LIBRARIES = ("libc.so", "libm.so", "libtinfo.so", "libselinux.so", "libpcre2-8.so", "ld-linux")
LEFT_OUT = ("dev/", "usr/share/", "var/lib/dpkg/", "var/cache/", "usr/libexec/", "usr/lib/apt/", "usr/lib/systemd/")
# The version that every program linked since glibc 2.34 asks for, and one of the same length that none does.
SYMBOL_VERSION, NO_VERSION = b"GLIBC_2.34\0", b"GLIBC_1.34\0"


def kept(path, words):
    """Tells whether the base has the path."""
    if path.startswith(LEFT_OUT):
        return False
    folder, _, name = path.rpartition("/")
    if folder in ("usr/bin", "usr/sbin"):
        return name in PROGRAMS
    if path.startswith("usr/lib/") and "-linux-gnu" in path:
        parts = path.split("/")
        if len(parts) > 4 or (len(parts) == 4 and not name.startswith(LIBRARIES)):
            return False
        return len(parts) == 3 or "without-libc" not in words
    return not (path.startswith("usr/lib64/") and "without-libc" in words)


def text_of(path, content, changes, words):
    """Returns what a file holds in the base."""
    if path in changes:
        content = changes[path]
    content += changes.get(path + "+", b"")
    if "old-libc" in words and path.endswith("/libc.so.6"):
        if SYMBOL_VERSION not in content:
            sys.exit(f"{path} does not name {SYMBOL_VERSION}")
        content = content.replace(SYMBOL_VERSION, NO_VERSION)
    return content


def main():
    source, out, *rest = sys.argv[1:]
    words = {word for word in rest if "=" not in word}
    changes = {}
    for path, text in (word.split("=", 1) for word in rest if "=" in word):
        changes[path] = text.encode()
    with tarfile.open(source) as debian, tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as base:
        for member in debian:
            path = member.name.removeprefix("./")
            if not kept(path, words):
                continue
            if member.isreg():
                content = text_of(path, debian.extractfile(member).read(), changes, words)
                member.size = len(content)
                base.addfile(member, io.BytesIO(content))
            elif path == "lib" and "unmerged" in words:
                target = member.linkname
                member.type, member.linkname, member.mode = tarfile.DIRTYPE, "", 0o755
                base.addfile(member)
                for name in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
                    member.name, member.type, member.linkname = f"./lib/{name}", tarfile.SYMTYPE, f"../{target}/{name}"
                    base.addfile(member)
            else:
                base.addfile(member)


main()
