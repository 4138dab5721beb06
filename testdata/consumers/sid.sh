# Programs of Debian's next release, for what no distribution that tests run on has yet: unpacked into a folder of their
# own with all that they need, and run by the loader that came along. Sourced after lib.sh:
#
#     source "$TESTDATA/consumers/sid.sh"
#     sid_fetch rpm                      # then they are in $SID/tree
#     of_sid rpm --version
#
# The mirror is the one that this machine has its own packages from; BAKE_TEST_DEBIAN is another.

SID=$WORK/sid

# sid_fetch PACKAGE...: unpacks them, once.
sid_fetch() {
    local mirror=${BAKE_TEST_DEBIAN:-}
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -m 1 -E '/debian/?$')
    [ -n "$mirror" ] || { echo "apt has no Debian mirror; name one by BAKE_TEST_DEBIAN"; return 1; }
    mkdir -p "$SID"/{etc/apt.conf.d,etc/preferences.d,state/lists/partial,cache/archives/partial,tree}
    : >"$SID/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$SID/sources.list"
    cat >"$SID/apt.conf" <<CONF
Dir::State "$SID/state";
Dir::State::status "$SID/status";
Dir::Cache "$SID/cache";
Dir::Etc "$SID/etc";
Dir::Etc::sourcelist "$SID/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "root";
CONF
    # A mirror that is being updated answers with half of each state; a while later it does not.
    local pause
    for pause in 10 30 60 last; do
        APT_CONFIG=$SID/apt.conf apt-get -q -o APT::Update::Error-Mode=any update &&
            APT_CONFIG=$SID/apt.conf apt-get -q -y --no-install-recommends --download-only install "$@" && break
        [ "$pause" != last ] || return 1
        sleep "$pause"
    done
    local deb
    for deb in "$SID"/cache/archives/*.deb; do dpkg -x "$deb" "$SID/tree" || return 1; done
}

# of_sid PROGRAM ARGUMENTS...
of_sid() {
    local program=$1
    shift
    "$SID/tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$SID/tree/usr/lib/x86_64-linux-gnu" \
        "$SID/tree/usr/bin/$program" "$@"
}
