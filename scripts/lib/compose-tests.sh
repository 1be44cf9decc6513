# shellcheck shell=bash
# What scripts/test-compose tests. Each function ends with `pass`, or the script with `fail`.

most_megabytes=60 most_seconds=3

test_image() {
    local user
    user=$(docker image inspect --format '{{.Config.User}}' "$image")
    case "$user" in "" | 0 | 0:* | root*) fail "the image runs as root" ;; esac
    docker image inspect --format '{{json .Config.Labels}}' "$image" >"$scratch/labels"
    for label in title description licenses version revision; do
        grep -q "\"org.opencontainers.image.$label\":\"[^\"]" "$scratch/labels" || fail "no label $label"
    done
    # A base without a shell, as far as that can be had: no program of the image needs one.
    quietly docker run --rm --network none --read-only --cap-drop ALL --entrypoint loadtest "$image" --version
    pass image "$(docker image inspect --format '{{.Size}}' "$image" | numfmt --to=si) with its base"
}

# With `down` before it, so that nothing is ever recreated: Compose 1.29 can't on newer engines.
bring_up() {
    export BACKEND=$1
    up
    if grep -i recreat "$scratch/said"; then fail "$1 comes up by recreating a container"; fi
    id=$(container server)
    wait_until_healthy "$id"
}

test_backend() {
    local backend=$1 id at
    bring_up "$backend"
    is_confined "$id"
    at=$(published server 8080)
    is_backend "$at" "$backend"
    ask "http://$at/echo" --data-binary "@$scratch/body" | cmp - "$scratch/body" || fail "$backend does not echo"
    ask "http://$at/proxy/echo" --data-binary "@$scratch/body" | cmp - "$scratch/body" ||
        fail "$backend does not forward"
    docker logs "$id" >"$scratch/log" 2>&1
    grep -q "docker compose run --rm loadtest run http://server:8080/echo" "$scratch/log" ||
        fail "$backend does not say what to try: $(cat "$scratch/log")"
    for path in echo proxy/echo; do
        run loadtest run --connections 64 --duration 1s --json "results/$backend.json" \
            "http://server:8080/$path" >"$scratch/said"
        grep -q '"errors": *{}' "$FIVE_RESULTS/$backend.json" ||
            fail "the load on $backend has errors: $(cat "$scratch/said")"
    done
    quietly "${compose[@]}" stop
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$id")" = 0 ] ||
        fail "$backend was stopped and did not exit with 0: $(docker logs "$id" 2>&1 | tail -n 5)"
    bring_down
    pass "$backend" "up, healthy, echo, proxy, load, stopped with 0"
}

# Read-only, without privileges, and with as many descriptors as the engine gives by itself.
is_confined() {
    local confined
    confined=$(docker inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Init}} {{.HostConfig.CapDrop}} {{len .HostConfig.Ulimits}}' "$1")
    [ "$confined" = "true true [ALL] 0" ] || fail "the container is not confined: $confined"
}

# In the foreground, as users have it: that it ends by itself is half of the test.
test_unknown_backend() {
    local code=0
    BACKEND=nope timeout 60 "${compose[@]}" up --no-build >"$scratch/said" 2>&1 || code=$?
    [ $code != 124 ] || fail "with an unknown backend, up does not end: $(cat "$scratch/said")"
    grep -q "BACKEND=nope: no such backend; it is one of ${backends// /, }" "$scratch/said" ||
        fail "an unknown backend is not refused with the five right ones: $(cat "$scratch/said")"
    bring_down
    pass "unknown backend" "refused at once, with the names of the five"
}

test_all() {
    local backend
    up all
    for backend in $backends; do is_backend "$(published "$backend" 8080)" "$backend"; done
    compared_in all loadtest compare --connections 16
    compared_in options compare --connections 1,16 --rounds 2
    run loadtest compare --target far=http://mio:8080 --connections 4 --out results/target \
        --warm-up 100ms --duration 500ms >/dev/null
    grep -q '"far"' "$FIVE_RESULTS/target/results.json" || fail "--target has left no results"
    bring_down
    test_missing_targets
    pass "all five" "side by side and compared; results are the user's"
}

# compared_in FOLDER COMMAND…: compares all five, with figures of what each used, in results/FOLDER.
compared_in() {
    local folder=$1 owner
    shift
    run "$@" --warm-up 100ms --duration 500ms --out "results/$folder" >/dev/null
    python3 - "$FIVE_RESULTS/$folder/results.json" <<'PYTHON' || fail "compared: $*"
import json, sys

cells = json.load(open(sys.argv[1]))["cells"]
rows = {cell["backend"] for cell in cells}
assert rows == {"threads", "mio", "may", "actix", "tokio"}, rows
for cell in cells:
    assert not cell.get("failure") and not cell.get("errors"), cell
    assert cell["server_cpu_us_per_request"] > 0, cell
PYTHON
    owner=$(stat --format %u:%g "$FIVE_RESULTS/$folder/results.json")
    [ "$owner" = "$FIVE_UID:$FIVE_GID" ] || fail "the results belong to $owner, not $FIVE_UID:$FIVE_GID"
}

test_missing_targets() {
    local code=0
    "${compose[@]}" run --rm -T --no-deps loadtest compare >"$scratch/said" 2>&1 || code=$?
    if [ $code != 2 ] || ! grep -q "threads=http://threads:8080/: .*is it started?" "$scratch/said"; then
        fail "servers that are not up are not named: exit $code, $(cat "$scratch/said")"
    fi
    bring_down
}

test_observed() {
    local prometheus_image at
    if ! have_prometheus_image; then
        untested "the profile observe: Prometheus's image can't be pulled, nor made of a program here"
        return
    fi
    export PROMETHEUS_IMAGE=$prometheus_image
    up observe
    at=$(published prometheus 9090)
    [ "$(queries | wc -l)" -ge 5 ] || fail "the README's queries are not where they were"
    while read -r query; do has_all_five "$at" "$query"; done < <(queries)
    bring_down
    pass observed "Prometheus has figures of all five"
}

# What the README tells to ask Prometheus for.
queries() { sed -n '/^### What Prometheus sees/,/^## /s/^| .* | `\(.*\)` |$/\1/p' README.md; }

# has_all_five PROMETHEUS QUERY: a figure of each comes in time.
has_all_five() {
    local deadline=$((SECONDS + 60))
    until
        ask "http://$1/api/v1/query" --data-urlencode "query=$2" >"$scratch/said"
        [ "$(grep -o '"instance":' "$scratch/said" | wc -l)" = 5 ]
    do
        [ $SECONDS -lt $deadline ] || fail "Prometheus has no figures of all five: $2: $(cat "$scratch/said")"
        sleep 0.5
    done
}

test_size() {
    local whole base megabytes
    whole=$(docker image inspect --format '{{.Size}}' "$image")
    base=$(docker image inspect --format '{{.Size}}' "$runtime_image")
    megabytes=$(((whole - base + 999999) / 1000000))
    [ $megabytes -le $most_megabytes ] || fail "the image has $megabytes MB beyond its base, not $most_megabytes"
    pass size "$megabytes MB beyond the base"
}

# The median of the five: whatever else the machine does can only add.
test_time_to_healthy() {
    local backend began all=() sorted
    for backend in $backends; do
        began=$(date +%s%3N)
        bring_up "$backend"
        all+=($(($(date +%s%3N) - began)))
        bring_down
    done
    mapfile -t sorted < <(printf '%s\n' "${all[@]}" | sort -n)
    [ "${sorted[2]}" -le $((most_seconds * 1000)) ] ||
        fail "${sorted[2]} ms from up to healthy, not $most_seconds s: ${all[*]} ms for $backends"
    pass "time to healthy" "${sorted[2]} ms: ${all[*]} ms for $backends"
}

# The same programs, by the same load, inside containers and outside.
test_agreement() {
    local id options=(--connections 64 --rounds 6 --warm-up 500ms --duration 2s)
    id=$(docker create "$image")
    docker cp --quiet "$id:/usr/local/bin/." "$scratch/programs" 2>/dev/null ||
        docker cp "$id:/usr/local/bin/." "$scratch/programs"
    docker rm "$id" >/dev/null
    run compare "${options[@]}" --out results/inside >/dev/null
    bring_down
    quietly "$scratch/programs/loadtest" compare "${options[@]}" --backends "${backends// /,}" --out "$scratch/outside"
    python3 -B scripts/lib/agreement.py "$FIVE_RESULTS/inside" "$scratch/outside" ||
        fail "CPU per request inside containers and outside do not agree"
    pass "CPU per request inside and outside"
}

test_nothing_left() {
    local mine="label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" left deadline=$((SECONDS + 20))
    all_profiles down --remove-orphans >/dev/null 2>&1
    # The engine may still be at it when Compose has done.
    while
        left=$(
            docker container ls --all --filter "$mine" --format 'container {{.Names}}: {{.Status}}'
            docker network ls --filter "$mine" --format 'network {{.Name}}'
            docker volume ls --filter "$mine" --format 'volume {{.Name}}'
        )
        [ -n "$left" ]
    do
        [ $SECONDS -lt $deadline ] || fail "left behind: $left"
        sleep 0.5
    done
    pass "nothing left behind"
}
