#!/bin/sh
# boot.sh ROOT UNIT: systemd as the first process of a root file system, in name spaces of its own, until the unit ends
# it. Called in new mount, pid, ipc, uts and cgroup name spaces; what is mounted goes with them.
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
# Credentials are mounted by a helper of systemd, from where they must reach all others.
mount --make-rshared "$root"
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
exec env -i container=bake PATH=/usr/bin:/usr/sbin chroot "$root" /lib/systemd/systemd --system --unit="$2" </dev/null
