# Base images that others made, out of Debian's files. Sourced after lib.sh, containers.sh and deb/chroot.sh.

BASES=$WORK/bases
BASE_PATH=/usr/local/bin:/usr/bin:/bin
mkdir -p "$BASES"

# root_of NAME [CHANGE...]: makes $BASES/NAME.tar, the root of a base.
root_of() {
    local name=$1
    shift
    python3 "$TESTDATA/consumers/base/trim.py" "$SCRATCH/debian.tar" "$BASES/$name.tar" "$@"
}

in_buildah() {
    local command=$1
    shift
    buildah --root "$WORK/buildah" --runroot "$WORK/buildah-run" --storage-driver vfs "$command" "$@"
}

# by_buildah ROOT SAYS DESTINATION [OPTION...]: an image of one layer and an environment, for $ARCHITECTURE if it is set.
by_buildah() {
    local root=$1 says=$2 destination=$3 container
    shift 3
    container=$(in_buildah from --signature-policy policy.json scratch) || return 1
    in_buildah add --quiet "$container" "$BASES/$root.tar" / >/dev/null &&
        in_buildah config --env "PATH=$BASE_PATH" --env "BASE_SAYS=$says" --label "org.example.base=$says" \
            --cmd /bin/sh --workingdir /srv ${ARCHITECTURE:+--arch "$ARCHITECTURE"} "$container" &&
        in_buildah commit --quiet --signature-policy policy.json "$@" "$container" "$destination" >/dev/null &&
        in_buildah rm "$container" >/dev/null
}

# by_umoci ROOT SAYS LAYOUT TAG: the same by umoci.
by_umoci() {
    [ -d "$3" ] || umoci init --layout "$3" || return 1
    umoci new --image "$3:$4" && umoci raw add-layer --image "$3:$4" "$BASES/$1.tar" &&
        umoci config --image "$3:$4" --config.env "PATH=$BASE_PATH" --config.env "BASE_SAYS=$2" \
            --config.label "org.example.base=$2" --config.cmd /bin/sh --config.workingdir /srv
}

# project NAME BASE [LINE...]: a recipe that bakes the service on a base, with more lines of [oci].
project() {
    local folder=$WORK/$1 base=$2
    shift 2
    mkdir -p "$folder"
    {
        cat <<RECIPE
name = "service"
version = "1.0.0"
summary = "says what its base is"
license = "MIT"
maintainer = "bake developers <developers@bake.example>"

[[files]]
from = "../service"
to = "/usr/bin/service"

[[files]]
content = "greeting = 'hello'\n"
to = "/etc/service/service.conf"

[service]
command = ["/usr/bin/service", "serve"]
user = "runner"
uid = 1234
state = ["/var/lib/service"]

[oci]
base = "$base"
env = { append = ["APP_SAYS=hello", "PATH=\$PATH:/opt/service/bin"] }
RECIPE
        printf '%s\n' "$@"
    } >"$folder/bake.toml"
}

# build NAME [OPTION...]: bakes a project; afterwards $LAYOUT is the image.
build() {
    local name=$1
    shift
    LAYOUT=$WORK/$name/dist/service-1.0.0.oci
    "$BAKE" build -f "$WORK/$name/bake.toml" -o "$WORK/$name/dist" "$@"
}

# Digests of the layers, the lowest first, of a manifest on stdin.
layers() { jq -r '.layers[].digest'; }

# The digest of the one image of a layout.
digest_of() { jq -er '.manifests[0].digest' "$1/index.json"; }

# A document of a layout by its digest.
blob() { cat "$1/blobs/${2/:/\/}"; }
