# Shared by the scripts that give images to others. Sourced after lib.sh.

printf '{"default":[{"type":"insecureAcceptAnything"}]}' >policy.json

# copy SOURCE DESTINATION [OPTION...]: skopeo's, without the settings of this machine.
copy() { skopeo copy --quiet --policy policy.json "$@"; }

# decompress FILE: prints what a layer holds, however it is compressed.
decompress() {
    case $(head -c 4 "$1" | od -An -tx1 | tr -d ' ') in
    1f8b*) gzip -dc "$1" ;;
    28b52ffd) zstd -qdc "$1" ;;
    *) cat "$1" ;;
    esac
}

# unpacked LAYOUT:TAG: umoci makes ./bundle of an image.
unpacked() {
    rm -rf bundle
    umoci unpack --image "$1" bundle
}

# Runs a bundle under crun, in a mount namespace of its own with a pure cgroup2 tree; prints what it prints.
run_bundle() {
    python3 - <<'PYTHON'
import json
with open("bundle/config.json") as file:
    config = json.load(file)
config["process"]["terminal"] = False
config["process"].pop("rlimits", None)
with open("bundle/config.json", "w") as file:
    json.dump(config, file)
PYTHON
    timeout 60 unshare --mount sh -c "umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup &&
        exec crun --cgroup-manager=disabled --root '$WORK/crun' run --bundle bundle 'bake-$$-$1'" </dev/null
}
