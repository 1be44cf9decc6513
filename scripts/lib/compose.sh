# shellcheck shell=bash
# Compose, whichever there is, for scripts/test-compose: in a project of its own, on free ports.

healthy_within=60

# Sets `compose`; fails if there is none.
find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        return 1
    fi
}

# Nothing that somebody else has up is in the way, and the results belong to whoever asked.
test_alone() {
    export COMPOSE_PROJECT_NAME=five-ways-test-$$ FIVE_TAG=test-$$ FIVE_RESULTS=$scratch/results
    image=five-ways:$FIVE_TAG
    export FIVE_PORT=0 FIVE_PORT_THREADS=0 FIVE_PORT_MIO=0 FIVE_PORT_MAY=0 FIVE_PORT_ACTIX=0 \
        FIVE_PORT_TOKIO=0 FIVE_PORT_PROMETHEUS=0
    mkdir "$FIVE_RESULTS"
    FIVE_UID=$(id -u) FIVE_GID=$(id -g)
    if [ "$FIVE_UID" = 0 ]; then
        # Not the user that the image has by itself, nor the one that Compose gives it.
        FIVE_UID=4242 FIVE_GID=4243
        chown "$FIVE_UID:$FIVE_GID" "$FIVE_RESULTS" && chmod 711 "$scratch"
    fi
    export FIVE_UID FIVE_GID
}

all_profiles() {
    "${compose[@]}" --profile all --profile observe --profile compare --profile load "$@"
}

bring_down() { quietly all_profiles down --timeout 15; }

# run ARGUMENTS…: a container of its own for one command; what it says, or the failure with that.
run() {
    local said
    said=$("${compose[@]}" run --rm -T "$@" 2>&1) || fail "run $*: $said"
    printf '%s\n' "$said"
}

# quietly COMMAND…: what it says only matters if it fails.
quietly() { "$@" >"$scratch/said" 2>&1 || fail "$*: $(cat "$scratch/said")"; }

# up [PROFILE]: of the project, or with a profile. The engine chooses ports that may be in use.
up() {
    local attempt profile=()
    [ $# = 0 ] || profile=(--profile "$1")
    for attempt in 1 2 3 4 5; do
        if "${compose[@]}" "${profile[@]}" up --detach --no-build >"$scratch/said" 2>&1; then return; fi
        grep -q "address already in use" "$scratch/said" || break
        all_profiles down >/dev/null 2>&1
    done
    fail "up, attempt $attempt: $(cat "$scratch/said")"
}

container() { all_profiles ps --quiet "$1"; }

# Where a service is found from here; it must be on the loopback alone. published SERVICE PORT
published() {
    local at
    at=$(all_profiles port "$1" "$2")
    case "$at" in
    127.0.0.1:*) echo "$at" ;;
    *) fail "$1 is published on ${at:-nothing}, not on the loopback alone" ;;
    esac
}

wait_until_healthy() {
    local state deadline=$((SECONDS + healthy_within))
    while state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$1"); do
        case "$state" in
        "running healthy") return ;;
        exited* | dead*) break ;;
        esac
        [ $SECONDS -lt $deadline ] || break
        sleep 0.1
    done
    docker logs "$1" >&2
    fail "the server is not healthy but ${state:-gone}"
}

# ask URL [CURL OPTIONS…]: the answer, as soon as there is a good one.
ask() {
    local url=$1 deadline=$((SECONDS + 30))
    shift
    until curl --fail --silent --max-time 20 "$@" "$url"; do
        [ $SECONDS -lt $deadline ] || fail "$url does not answer as it should"
        sleep 0.2
    done
}

# Whoever answers at ADDRESS is this backend. is_backend ADDRESS BACKEND
is_backend() {
    local server
    ask "http://$1/" --head | grep -i '^server:' >"$scratch/server"
    server=$(tr -d '\r' <"$scratch/server")
    [ "${server#*: }" = "five-ways/$2" ] || fail "it is not $2 that answers: $server"
}
