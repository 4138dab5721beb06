# Real registries for the consumer scripts, on free ports of 127.0.0.1, with storage in $WORK. Sourced after lib.sh:
#
#     source "$TESTDATA/consumers/registries.sh"
#     registry_plain open                # then $REGISTRY is 127.0.0.1:PORT
#     registry_tls tls                   # signed by the test CA: --cert-dir $CERTIFICATES, or $CERTIFICATES/ca.crt
#     registry_htpasswd basic            # $REGISTRY_USER and $REGISTRY_PASSWORD; over TLS, too
#     registry_token token               # tokens of a service of its own; anybody may pull
#     registry_referrers referrers       # another implementation, which has the referrers API
#
# Each waits until the registry answers, prints nothing, and fails if it does not come up; its log is in
# $WORK/registries/NAME.log. All are Debian's docker-registry but the last, and have deletion enabled. They are stopped
# when the script ends, or by `registries_stop`.

REGISTRIES=$WORK/registries
CERTIFICATES=$REGISTRIES/certificates
REGISTRY_USER=robot
REGISTRY_PASSWORD=correct-horse
REGISTRY=
REGISTRY_PIDS=()
mkdir -p "$CERTIFICATES"

registries_stop() {
    local pid
    for pid in "${REGISTRY_PIDS[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    REGISTRY_PIDS=()
}
trap registries_stop EXIT

# Prints a port that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# answers URL: waits up to ten seconds until anything answers there.
answers() {
    local attempt
    for attempt in $(seq 100); do
        curl --silent --insecure --output /dev/null --max-time 2 "$1" && return 0
        sleep 0.1
    done
    echo "nothing answers at $1" >&2
    return 1
}

# A CA of the day, and a certificate of it for the name $1 with the further extensions $2.
registry_certificate() {
    local name=$1 extensions=$2
    [ ! -e "$CERTIFICATES/$name.crt" ] || return 0
    (
        cd "$REGISTRIES" || exit 1
        if [ ! -e certificates/ca.crt ]; then
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=bake test CA" -keyout ca.key \
                -out certificates/ca.crt -addext keyUsage=critical,keyCertSign,digitalSignature
        fi
        openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr"
        printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n%s\n' "$extensions" >"$name.ext"
        openssl x509 -req -in "$name.csr" -CA certificates/ca.crt -CAkey ca.key -CAcreateserial -days 2 \
            -extfile "$name.ext" -out "$name.crt"
    ) >>"$REGISTRIES/openssl.log" 2>&1
}

# docker_registry NAME SCHEME EXTRA: starts docker-registry with more lines of configuration. The port is free when it is
# looked for; should another take it meanwhile, the next attempt has another.
docker_registry() {
    local name=$1 scheme=$2 extra=$3 attempt port
    for attempt in 1 2 3; do
        port=$(free_port)
        cat >"$REGISTRIES/$name.yml" <<CONFIG
version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: $REGISTRIES/$name}
  delete: {enabled: true}
http:
  addr: 127.0.0.1:$port
$extra
CONFIG
        docker-registry serve "$REGISTRIES/$name.yml" >"$REGISTRIES/$name.log" 2>&1 &
        REGISTRY_PIDS+=($!)
        sleep 0.2
        if kill -0 $! 2>/dev/null && answers "$scheme://127.0.0.1:$port/v2/"; then
            REGISTRY=127.0.0.1:$port
            return 0
        fi
    done
    cat "$REGISTRIES/$name.log" >&2
    return 1
}

registry_plain() { docker_registry "$1" http ''; }

registry_server_tls() {
    registry_certificate server extendedKeyUsage=serverAuth
    printf '  tls: {certificate: %s/server.crt, key: %s/server.key}' "$REGISTRIES" "$REGISTRIES"
}

registry_tls() { docker_registry "$1" https "$(registry_server_tls)"; }

registry_htpasswd() {
    htpasswd -Bbn "$REGISTRY_USER" "$REGISTRY_PASSWORD" >"$REGISTRIES/htpasswd" || return 1
    docker_registry "$1" https "$(registry_server_tls)
auth:
  htpasswd: {realm: test, path: $REGISTRIES/htpasswd}"
}

registry_token() {
    local port
    registry_certificate token keyUsage=digitalSignature
    : >"$REGISTRIES/token.port"
    python3 "$TESTDATA/consumers/registry-tokens.py" "$REGISTRIES/token.crt" "$REGISTRIES/token.key" \
        "$REGISTRY_USER:$REGISTRY_PASSWORD" >"$REGISTRIES/token.port" 2>"$REGISTRIES/token.log" &
    REGISTRY_PIDS+=($!)
    for _ in $(seq 100); do
        [ ! -s "$REGISTRIES/token.port" ] || break
        sleep 0.1
    done
    port=$(cat "$REGISTRIES/token.port")
    docker_registry "$1" http "auth:
  token: {realm: 'http://127.0.0.1:$port/token', service: test, issuer: bake-test, rootcertbundle: $CERTIFICATES/ca.crt}"
}

# Builds the other registry, which takes a minute the first time.
registry_referrers() {
    local name=$1 program=$ROOT/target/readers/debug/referrers-registry
    HOME=$USERS_HOME CARGO_TARGET_DIR=$ROOT/target/readers cargo build --quiet --locked \
        --manifest-path "$TESTDATA/readers/referrers-registry/Cargo.toml" >"$REGISTRIES/$name.log" 2>&1 || {
        cat "$REGISTRIES/$name.log" >&2
        return 1
    }
    : >"$REGISTRIES/$name.address"
    "$program" >"$REGISTRIES/$name.address" 2>"$REGISTRIES/$name.log" &
    REGISTRY_PIDS+=($!)
    for _ in $(seq 100); do
        [ ! -s "$REGISTRIES/$name.address" ] || break
        sleep 0.1
    done
    REGISTRY=$(cat "$REGISTRIES/$name.address")
    [ -n "$REGISTRY" ] && answers "http://$REGISTRY/v2/"
}
