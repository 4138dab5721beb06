# Shared by the scripts that need a whole Debian system: one bootstrapped by mmdebstrap, kept as
# SCRATCH/debian.tar for all of them. Sourced after lib.sh.

# No systemd, but the two programs of it that maintainer scripts call.
DEBIAN_PACKAGES=apt,debsums,libcap2-bin,systemd-standalone-sysusers,systemd-standalone-tmpfiles

# bootstrap: makes SCRATCH/debian.tar unless it is there.
bootstrap() {
    once "$SCRATCH/debian.tar" bootstrap_system || finish
}

bootstrap_system() {
    local tar=$SCRATCH/debian.tar release
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    case $release in bookworm | trixie) ;; *) release=bookworm ;; esac
    # Documentation takes longer to unpack than all the rest.
    if ! mmdebstrap --quiet --format=tar --variant=essential --include="$DEBIAN_PACKAGES" --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/locale/*' "$release" "$tar.new" >"$OUTPUT" 2>&1; then
        fail "mmdebstrap makes a Debian system"
        tail -n 15 "$OUTPUT" | sed 's/^/    /'
        return 1
    fi
    mv "$tar.new" "$tar"
}

# debian_root FOLDER: unpacks a fresh system there. Deletes what was there.
debian_root() {
    rm -rf "$1"
    mkdir -p "$1"
    if ! tar -xf "$SCRATCH/debian.tar" -C "$1" --xattrs-include='*' --numeric-owner; then
        fail "a Debian system in $1"
        finish
    fi
    # The options of bootstrapping are not for what is installed later.
    rm -f "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$1"/etc/apt/apt.conf.d/99mmdebstrap
    # What maintainer scripts may write to.
    [ -c "$1/dev/null" ] || mknod -m 666 "$1/dev/null" c 1 3
    echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/scratch"
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
}

# in_debian ROOT COMMAND...: runs a command in it, with nothing of this environment. systemd-tmpfiles needs /proc; the mount
# is in a namespace of its own and ends with the command.
in_debian() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        unshare --mount --propagation private sh -c 'mount -t proc proc "$1/proc" || mount --bind /proc "$1/proc"; exec chroot "$@"' sh "$@"
}
