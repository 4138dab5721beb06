#!/usr/bin/env -S python3 -B
"""Values that readers of configuration take for something else, and what is asked about them.

    cases.py write FOLDER [KEY...]                   a recipe, and an environment `test` of all keys but these
    cases.py environ FOLDER FILE                     judges variables, ended by NULs each
    cases.py files FOLDER FILES                      judges files of one value, by their names
    cases.py pod FOLDER OBJECTS                      writes what a pod gets of objects in JSON: environ, root/…
    cases.py kustomization FOLDER OBJECTS            writes what kustomize makes the same ConfigMaps of
"""

import base64
import json
import sys
from pathlib import Path

VALUES = {
    "EMPTY": "",
    "SPACES": " a  b ",
    "TABS": "\ta\tb\t",
    "DOUBLE": 'say "x"',
    "SINGLE": "it's",
    "QUOTES": "'a' \"b\"",
    "DOLLAR": "$HOME",
    "DOLLARS": "a$$b$$$",
    "BRACES": "${HOME} ${X:-y}",
    "COMMAND": "$(id) `id`",
    "BACKSLASH": "a\\b\\n\\$",
    "BACKSLASHES": "a\\\\b",
    "TRAILING": "C:\\",
    "NEWLINE": "a\n b=c\n#d\n",
    "CRLF": "a\r\nb\r\n",
    "RETURN": "a\r",
    "HASH": "#a # b",
    "SEMICOLON": ";a ; b",
    "EQUALS": "=a=b",
    "LARGE": "0123456789" * 10_000,
    "UNICODE": "ünï€😀\u2028\u00a0",
    "ZEROS": "007",
    "MILLION": "1000000",
    "EXPONENT": "1e6",
    "NO": "no",
    "NULL": "null",
    "JSON": '{"a": ["b", \'c\', "\\u0041"]}',
    "PEM": "-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----\n",
    "PERCENT": "%n %d %% 100%",
    "EXPORT": "export A=1",
    "HTML": "<a href='b'>&amp;",
    "BANG": "!!binary &a *a",
    "CONTROL": "\x01\x1b\x7f",
    "BOM": "\ufeffa",
    "NONCHARACTER": "a\uffff",
}
# What is no variable but a file, or in one.
FILES = {"PEM_FILE": "PEM", "CRLF_FILE": "CRLF", "BOM_FILE": "BOM"}
PASSWORD = "p4ss'\"$w\\rd"


SECRETS = {"S_FILE": PASSWORD, "S_VARIABLE": "t0ken $x \\y"}
RECIPE = """\
name = "targets"
version = "1.0"
summary = "Values that readers take for something else"
license = "MIT"
maintainer = "A <a@example.com>"
architecture = "all"

[[files]]
content = "#!/bin/sh\\n"
to = "/usr/lib/targets/run"
mode = "0755"

[service]
command = ["/usr/lib/targets/run"]
user = "app"

[deb]

[config.S_FILE]
type = "string"
secret = true
deliver = { file = "s-file", env-path = "P_S_FILE" }

[config.S_VARIABLE]
type = "string"
secret = true
deliver = "variable"

[[config.document]]
path = "/etc/targets/open.json"
keys = ["V_QUOTES"]

[[config.document]]
path = "/etc/targets/secret.json"
keys = ["S_FILE"]
"""


def toml(text):
    """JSON's strings are TOML's, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(folder, *without):
    """Writes values, too, for those who judge; secrets are set by `bake env set`."""
    values = {"V_" + name: value for name, value in VALUES.items()}
    values |= {"F_" + name: VALUES[value] for name, value in FILES.items()}
    recipe = RECIPE
    for name in values:
        recipe += f"\n[config.{name}]\ntype = \"string\"\n"
        if name.startswith("F_"):
            recipe += f"deliver = {{ file = \"{FILES[name[2:]].lower()}\", env-path = \"P_{name[2:]}\" }}\n"
    values = {name: value for name, value in values.items() if name not in without}
    (folder / "environments").mkdir(parents=True)
    (folder / "bake.toml").write_text(recipe)
    lines = [f"{name} = {toml(value)}\n" for name, value in values.items()]
    (folder / "environments/test.toml").write_text("[values]\n" + "".join(lines))
    for name, value in SECRETS.items():
        (folder / name).write_bytes(value.encode())
    (folder / "values.json").write_text(json.dumps(values | SECRETS))


def environ(folder, file):
    found = dict(entry.split(b"=", 1) for entry in Path(file).read_bytes().split(b"\0") if b"=" in entry)
    wrong = 0
    for name, value in json.loads((folder / "values.json").read_text()).items():
        if name[0] == "F" or name == "S_FILE":
            continue
        expected = value.encode()
        if found.get(name.encode()) != expected:
            print(f"{name}: expected {expected[:60]!r}, found {(found.get(name.encode()) or b'nothing')[:60]!r}")
            wrong += 1
    sys.exit(1 if wrong else 0)


def files(folder, place):
    values = json.loads((folder / "values.json").read_text())
    expected = {value.lower(): values["F_" + name] for name, value in FILES.items()}
    expected |= {"s-file": values["S_FILE"]}
    wrong = 0
    for name, value in expected.items():
        found = (Path(place) / name).read_bytes()
        if found != value.encode():
            print(f"{name}: expected {value!r}, found {found!r}")
            wrong += 1
    for name, key in [("open.json", "V_QUOTES"), ("secret.json", "S_FILE")]:
        found = json.loads((Path(place) / name).read_text())
        if found != {key: values[key]}:
            print(f"{name}: {found!r}")
            wrong += 1
    sys.exit(1 if wrong else 0)


def pod(folder, objects):
    """Does what a kubelet does: everything that a pod refers to must be there."""
    items = json.loads(Path(objects).read_text())
    data = {}
    for item in items:
        values = item.get("data", {})
        if item["kind"] == "Secret":
            values = {key: base64.b64decode(value, validate=True) for key, value in values.items()}
        else:
            values = {key: value.encode() for key, value in values.items()}
        data[item["kind"], item["metadata"]["name"]] = values
    [pod] = [item["spec"]["template"]["spec"] for item in items if item["kind"] == "Deployment"]
    [container] = [one for one in pod["containers"] if one["name"] == "targets"]
    out = b""
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "configMapKeyRef" in source:
            value = data["ConfigMap", source["configMapKeyRef"]["name"]][source["configMapKeyRef"]["key"]]
        elif "secretKeyRef" in source:
            value = data["Secret", source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        else:
            value = variable["value"].encode()
        out += variable["name"].encode() + b"=" + value + b"\0"
    (folder / "environ").write_bytes(out)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "configMap" in volume:
            values = data["ConfigMap", volume["configMap"]["name"]]
        elif "secret" in volume:
            values = data["Secret", volume["secret"]["secretName"]]
        else:
            continue
        target = folder / "root" / mount["mountPath"].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(values[mount["subPath"]])


def kustomization(folder, objects):
    folder.mkdir()
    text = "configMapGenerator:\n"
    for item in json.loads(Path(objects).read_text()):
        if item["kind"] != "ConfigMap":
            continue
        name = item["metadata"]["name"].rsplit("-", 1)[0]
        text += f"- name: {name}\n  files:\n"
        for key, value in item["data"].items():
            (folder / f"{name}.{key}").write_bytes(value.encode())
            text += f"  - {key}={name}.{key}\n"
    (folder / "kustomization.yaml").write_text(text)


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    commands = {"write": write, "environ": environ, "files": files, "pod": pod, "kustomization": kustomization}
    commands[command](Path(folder), *rest)
