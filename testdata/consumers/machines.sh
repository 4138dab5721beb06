# Shared by the consumer scripts that bake and boot machines; comes after lib.sh. Bases, recipes and what was baked of
# them are below $MACHINES, made by whichever script comes first.

MACHINES=$SCRATCH/machines
PARTS=$TESTDATA/consumers/machine
# What the system was made with must not be found on a disk.
TRACE=left-by-the-builder
BOOT_SECONDS=${BAKE_TEST_BOOT_SECONDS:-240}
PORT=$((18000 + $$ % 20 * 40))
export BAKE_STORE=$SCRATCH/machines/store
mkdir -p "$MACHINES/dist" "$BAKE_STORE" boots

# Bootstraps two systems: one that is as small as a machine can be, and the same with cloud-init. Both come with what
# their maker left behind.
bases() {
    [ ! -e "$MACHINES/ready" ] || return 0
    local apt='APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes -o DPkg::Chroot-Directory="$1"'
    export TRACE MACHINES PARTS INITRD=No
    # The host's /sys is mounted in the system, and tar ends with 1 if that changed meanwhile.
    if ! run mmdebstrap --variant=essential --include=systemd-sysv,udev,kmod,linux-image-cloud-amd64,systemd-boot-efi \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
        --customize-hook='cp "$PARTS"/traces "$1"/traces && chroot "$1" sh /traces "$TRACE" && rm "$1"/traces' \
        --customize-hook='tar -C "$1" --numeric-owner --xattrs --exclude="./dev/*" --exclude="./proc/*" --exclude="./sys/*" \
            --exclude="./var/cache/apt/*" --exclude="./var/lib/apt/lists/*" --sort=name -cf "$MACHINES/small.tar" . || [ $? = 1 ]' \
        --customize-hook="$apt -o APT::Install-Recommends=false install cloud-init" \
        --format=tar bookworm "$MACHINES/cloud.tar"; then
        fail "mmdebstrap makes a system"
        tail -n 15 "$OUTPUT" | sed 's/^/    /'
        finish
    fi
    cp "$PARTS"/{dhcp.network,extended.service} "$MACHINES/"
    cc -O1 -static -o "$MACHINES/answer" "$PARTS/answer.c" || finish
    touch "$MACHINES/ready"
}

# write_recipe FILE NAME VERSION PART...: a recipe of the parts in `machine/`, and of what standard input says.
write_recipe() {
    local file=$1 part
    {
        cat <<END
name = "$2"
version = "$3"
summary = "Answers requests"
license = "MIT"
maintainer = "A <a@example.com>"
source-date = "2024-01-01T00:00:00Z"
architecture = "native"
END
        shift 3
        for part in "$@"; do cat "$PARTS/$part.toml"; done
        cat
    } >"$file"
}

# write_recipes: those that scripts share.
write_recipes() {
    local head=(answer 1.0 answer)
    bases
    write_recipe "$MACHINES/full.toml" "${head[@]}" network <<'END'
[deb]
[vm]
base = { rootfs = "small.tar" }
formats = ["raw", "qcow2", "vmdk", "vhd", "vhd-dynamic", "vhdx", "direct"]
compression = "zstd"
seed = true
END
    write_recipe "$MACHINES/cloud.toml" "${head[@]}" network <<'END'
[vm]
base = { rootfs = "cloud.tar" }
formats = ["qcow2"]
END
    write_recipe "$MACHINES/erofs.toml" "${head[@]}" network <<'END'
[deb]
[vm]
base = { rootfs = "small.tar" }
formats = ["raw"]
file-system = "erofs"
firmware = "bios"
END
    # A base that brings files itself, and the service on it.
    write_recipe "$MACHINES/ground.toml" ground 12 network extended <<'END'
[vm]
kind = "base"
base = { rootfs = "small.tar" }
formats = ["raw", "direct"]
slot = "64MiB"
END
    write_recipe "$MACHINES/on-ground.toml" "${head[@]}" <<'END'
[deb]
[vm]
base = { disk = "dist/ground/ground-12-amd64.raw" }
formats = ["raw", "overlay", "qcow2", "vmdk", "cpio", "sysext"]
compression = "gzip"
END
    # A base that brings nothing, the service on it, and the two in one go.
    write_recipe "$MACHINES/bare.toml" debian 12 <<'END'
[vm]
kind = "base"
base = { rootfs = "small.tar" }
formats = ["raw"]
slot = "64MiB"
END
    write_recipe "$MACHINES/on-bare.toml" "${head[@]}" <<'END'
[vm]
base = { disk = "dist/bare/debian-12-amd64.raw" }
formats = ["raw"]
END
    write_recipe "$MACHINES/slot.toml" "${head[@]}" <<'END'
[vm]
base = { rootfs = "small.tar" }
formats = ["raw"]
placement = "slot"
slot = "64MiB"
label = "debian"
END
}

# machine NAME: sets $DIST to what its recipe makes, baking it first if need be.
machine() {
    DIST=$MACHINES/dist/$1
    [ ! -e "$DIST/release.json" ] || return 0
    local started=$SECONDS
    if ! run "$BAKE" build -f "$MACHINES/$1.toml" -o "$DIST"; then
        fail "bake build of $1"
        tail -n 15 "$OUTPUT" | sed 's/^/    /'
        finish
    fi
    echo "     $1: baked in $((SECONDS - started)) s"
}

# place_base DIST BASE: puts a base disk where an overlay looks for it.
place_base() {
    ln -sf "$(realpath "$2")" "$1/$(qemu-img info -U --output=json "$(artifact overlay "$1")" 2>/dev/null | jq -r '."backing-filename"')"
}

# boot NAME EXPECTED DISK [ARGUMENT...]: boots a disk in the background, two at a time, until the service answers with
# what is expected. `booted` waits for all of them and judges.
boot() {
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    PORT=$((PORT + 1))
    printf '%s\n' "$2" >"boots/$1.expected"
    boot_once "$PORT" "$@" &
}

boot_once() {
    local port=$1 name=$2 expected=$3 machine answer='' started=$SECONDS
    shift 3
    "$BAKE" run --memory 512M --cpus 1 --port "$port:8080" "$@" </dev/null >"boots/$name.console" 2>&1 &
    machine=$!
    until [[ $answer == *"$expected"* ]] || [ $((SECONDS - started)) -ge "$BOOT_SECONDS" ] || ! kill -0 "$machine" 2>/dev/null; do
        sleep 0.3
        answer=$(curl --silent --max-time 4 "http://127.0.0.1:$port/")
    done
    kill "$machine" 2>/dev/null
    wait "$machine"
    printf '%s\n' "$answer" >"boots/$name.answer"
    echo "$((SECONDS - started))" >"boots/$name.seconds"
}

booted() {
    local name expected
    wait
    for expected in boots/*.expected; do
        name=$(basename "$expected" .expected)
        if says "$(cat "$expected")" "boots/$name.answer"; then
            pass "$name: the service answers ($(cat "boots/$name.seconds") s)"
        else
            fail "$name: the service answers \`$(cat "boots/$name.answer")\`, expected \`$(cat "$expected")\`"
            tail -n 12 "boots/$name.console" | sed 's/^/    /'
        fi
        rm "$expected"
    done
}

# part RAW NAME: writes a partition of a disk to `part-NAME`.
part() {
    local line
    line=$(sgdisk --print "$1" | awk -v name="$2" '$NF == name { print $2 * 512, ($3 - $2 + 1) * 512 }')
    [ -n "$line" ] || return 1
    dd if="$1" of="part-$2" bs=1M iflag=skip_bytes,count_bytes conv=sparse skip="${line% *}" count="${line#* }" status=none
}

digest() { sha256sum "$1" | cut -d' ' -f1; }

write_recipes
