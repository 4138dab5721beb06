# Shared by the consumer scripts. Each begins with
#
#     source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# and is called as `NN-name BAKE SCRATCH`: the program to judge, and a folder that is thrown away afterwards. Scripts
# share what is under SCRATCH/project and SCRATCH/dist, made by whichever comes first; the rest they keep to
# themselves, in $WORK. Every check prints one line, `PASS name: what` or `FAIL name: what`.

set -uo pipefail
if [ $# -ne 2 ]; then
    echo "usage: ${0##*/} BAKE SCRATCH" >&2
    exit 2
fi
NAME=${0##*/}
BAKE=$(realpath "$1")
mkdir -p "$2"
SCRATCH=$(realpath "$2")
TESTDATA=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
ROOT=$(realpath "$TESTDATA/..")
WORK=$SCRATCH/$NAME
OUTPUT=$WORK/output-of-last-check
EXAMPLES=(self jvm-service node-service static-site python-venv)
MANIFEST=$TESTDATA/checks/tree-manifest
# What a distribution's base package owns.
SYSTEM_DIRECTORIES=(usr/{bin,sbin,lib/{systemd/system,sysusers.d,tmpfiles.d},lib64} etc/nginx/conf.d var/{lib,log,spool} opt
    usr/share/{doc,licenses,man/man1,lintian/overrides} usr/share/{bash-completion/completions,fish/vendor_completions.d}
    usr/share/zsh/vendor-completions)
FAILED=0

rm -rf "$WORK"
mkdir -p "$WORK" "$SCRATCH/dist" "$SCRATCH/store"
cd "$WORK" || exit 1
# Build scripts may need the user's own settings, e.g. of npm; nothing else may.
USERS_HOME=${HOME:-/}
export BAKE_STORE=$SCRATCH/store LC_ALL=C.UTF-8 TZ=UTC HOME=$WORK
unset SOURCE_DATE_EPOCH XDG_CACHE_HOME
umask 022

pass() { echo "PASS $NAME: $*"; }

fail() {
    echo "FAIL $NAME: $*"
    FAILED=$((FAILED + 1))
}

# run COMMAND...: runs it and keeps what it prints in $OUTPUT, which the command itself may still read.
run() {
    local status=0
    "$@" >"$OUTPUT.new" 2>&1 || status=$?
    mv "$OUTPUT.new" "$OUTPUT"
    return "$status"
}

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    if run "$@"; then
        pass "$what"
    else
        fail "$what (exit $?)"
        tail -n 15 "$OUTPUT" | sed 's/^/    /'
    fi
}

# refuse WHAT STATUS COMMAND...: the command must end with that status; `any` is any but 0.
refuse() {
    local what=$1 status=$2 found=0
    shift 2
    run "$@" || found=$?
    if [ "$found" = "$status" ] || { [ "$status" = any ] && [ "$found" -ne 0 ]; }; then
        pass "$what"
    else
        fail "$what (exit $found, expected $status)"
        tail -n 15 "$OUTPUT" | sed 's/^/    /'
    fi
}

# same WHAT EXPECTED FOUND: the two texts must be equal.
same() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1"
        diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | head -n 20 | sed 's/^/    /'
    fi
}

# same_file WHAT EXPECTED FOUND: the two files must have the same text.
same_file() {
    if cmp -s "$2" "$3"; then
        pass "$1"
    else
        fail "$1"
        diff "$2" "$3" | head -n 20 | sed 's/^/    /'
    fi
}

# says TEXT FILE: whether a file has a line with the text.
says() { grep -qF -- "$1" "$2"; }

not() { ! "$@"; }

finish() {
    [ "$FAILED" -eq 0 ]
    exit
}

# Copies the examples and fixtures to $PROJECT, with the program where the recipe of bake itself expects it, and runs
# their build scripts. The copy is its own project, so that nothing is written into the sources.
prepare() {
    PROJECT=$SCRATCH/project
    once "$PROJECT/ready" prepare_project || finish
}

# once FILE COMMAND...: runs the command unless the file is there, which it makes; of scripts that run at the same time
# one does, and the others wait.
once() {
    local file=$1 lock
    shift
    lock=$SCRATCH/$(tr / _ <<<"${file#"$SCRATCH"/}").lock
    {
        flock 8
        [ -e "$file" ] || "$@"
    } 8>"$lock"
}

prepare_project() {
    local folder script
    rm -rf "$PROJECT"
    mkdir -p "$PROJECT/target/release" "$PROJECT/recipes/examples"
    cp "$ROOT/Cargo.toml" "$ROOT"/LICENSE-* "$PROJECT/"
    cp "$BAKE" "$PROJECT/target/release/bake"
    cp -r "$ROOT/recipes/examples/." "$TESTDATA/fixtures/." "$PROJECT/recipes/examples/"
    for folder in "$PROJECT"/recipes/examples/*/; do
        rm -rf "$folder/out" "$folder/dist"
        script=$folder/build
        # The script of bake itself also calls cargo and bake.
        [ ! -x "$folder/make-output" ] || script=$folder/make-output
        if ! HOME=$USERS_HOME "$script" >"$OUTPUT" 2>&1; then
            fail "build script of $(basename "$folder")"
            tail -n 15 "$OUTPUT" | sed 's/^/    /'
            return 1
        fi
    done
    touch "$PROJECT/ready"
}

# recipe NAME [VARIANT SED-SCRIPT]: sets $RECIPE to an example's recipe, or to that of a copy which was edited.
recipe() {
    local folder=$PROJECT/recipes/examples/$1
    if [ $# -eq 3 ]; then
        once "$folder@$2.ready" make_variant "$folder" "$2" "$3"
        folder=$folder@$2
    fi
    RECIPE=$folder/bake.toml
}

make_variant() {
    cp -a "$1" "$1@$2" && sed -E -i "$3" "$1@$2/bake.toml" && touch "$1@$2.ready"
}

# baked NAME [VARIANT SED-SCRIPT]: sets $DIST to the folder of the artifacts, baking them first if need be.
baked() {
    recipe "$@"
    DIST=$SCRATCH/dist/$(basename "$(dirname "$RECIPE")")
    once "$DIST/release.json" bake_recipe "$@"
}

bake_recipe() {
    if ! "$BAKE" build -f "$RECIPE" -o "$DIST" >"$OUTPUT" 2>&1; then
        fail "bake build of $1 ${2-}"
        tail -n 15 "$OUTPUT" | sed 's/^/    /'
        return 1
    fi
}

# The edits that variants are made with.
raise_version='s/^version = .*/version = "9.0.0"/'
compress() { echo "/^compression = /d; s/^\[(deb|rpm)\]\$/&\ncompression = \"$1\"/; s/^\[oci\]\$/&\ncompression = \"$2\"/"; }

# artifact FORMAT DIST: prints the path of an artifact; prints nothing and fails if there is none.
artifact() {
    jq -er --arg format "$1" --arg dist "$2" 'first(.artifacts[] | select(.format == $format)) | $dist + "/" + .path' \
        "$2/release.json"
}

# tree_of DIST: prints the identity of the tree that all artifacts hold.
tree_of() { jq -er .tree "$1/release.json"; }

# make_root FOLDER: a root file system with a shell, the tools that package scripts call, and accounts. It is made of
# this machine's own programs, so that it needs no download.
make_root() {
    local root=$1 command path
    mkdir -p "$root"/{dev,proc,tmp,run}
    (cd "$root" && mkdir -p "${SYSTEM_DIRECTORIES[@]}")
    ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
    chmod 1777 "$root/tmp"
    {
        for command in sh cat ls rm mkdir rmdir chmod chown ln mv cp id touch true false sed grep env \
            systemd-sysusers systemd-tmpfiles; do
            path=$(command -v "$command") && [ -x "$path" ] && { realpath "$path"; ldd "$(realpath "$path")" | grep -oE '/[^ ]+'; }
        done
        ldd "$BAKE" | grep -oE '/[^ ]+'
    } | sort -u | while read -r path; do
        mkdir -p "$root/$(dirname "$path")"
        cp -L "$path" "$root/$path"
    done
    ln -s "$(basename "$(realpath "$(command -v sh)")")" "$root/usr/bin/sh" 2>/dev/null
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
    [ -e "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3
}

# add_accounts ROOT NAMES: writes accounts as `tree-manifest names` lists them.
add_accounts() {
    awk -v root="$1" '$2 != "root" && $1 == "user" { print $2 ":x:" $3 ":" $3 "::/:/sbin/nologin" >> (root "/etc/passwd") }
        $2 != "root" && $1 == "group" { print $2 ":x:" $3 ":" >> (root "/etc/group") }' "$2"
}

prepare
