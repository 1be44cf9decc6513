# shellcheck shell=bash
# The image for scripts/test-compose: built as users build it, or made of programs that are there.

# Everything as in the Dockerfile, from base images that are pulled or made.
build_image() {
    have_base BUILD_IMAGE build
    have_base RUNTIME_IMAGE runtime
    runtime_image=$(default_of RUNTIME_IMAGE)
    build_as_this_machine >"$scratch/build.yml"
    "${compose[@]}" --file docker-compose.yml --file "$scratch/build.yml" build --force-rm upstream
}

# The build goes to the registries as this machine does: its network, its names, its proxies.
build_as_this_machine() {
    local name
    printf 'services:\n  upstream:\n    build:\n      context: %s\n      network: host\n' "$PWD"
    printf '      args:\n        REVISION: "%s"\n' "$(revision)"
    for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
        # shellcheck disable=SC2016 # Compose fills it in: no value of ours goes to a file.
        if [ -n "${!name:-}" ]; then printf '        %s: "${%s}"\n' "$name" "$name"; fi
    done
}

revision() { git rev-parse --short HEAD 2>/dev/null || echo unknown; }

# assemble_image DIR: the last stage alone, on this machine's Debian, with the programs in DIR.
assemble_image() {
    local from=$1 context=$scratch/context program suite
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    runtime_image=debian:${suite:?this is no Debian, so its programs fit into no image}-slim
    have_image "$runtime_image" runtime
    mkdir -p "$context/programs"
    for program in loadtest server-{threads,mio,may,actix,tokio}; do
        [ -x "$from/$program" ] || fail "there is no $from/$program: build it first"
        # The Dockerfile's build has no debug symbols either.
        strip --strip-debug -o "$context/programs/$program" "$from/$program"
    done
    {
        echo "ARG RUNTIME_IMAGE"
        # shellcheck disable=SC2016 # That is how the line reads.
        sed -n '/^FROM ${RUNTIME_IMAGE}/,$p' Dockerfile | sed 's|^COPY --from=build /programs |COPY programs |'
    } >"$context/Dockerfile"
    grep -q '^COPY programs ' "$context/Dockerfile" || fail "the Dockerfile's last stage has another form"
    quietly docker build --force-rm --build-arg "RUNTIME_IMAGE=$runtime_image" \
        --build-arg "REVISION=$(revision)" --tag "$image" "$context"
    rm -rf "$context"
}

# Whether the engine mounts folders of this machine: one that is reached by a socket alone does not.
sees_this_machine() {
    echo seen >"$FIVE_RESULTS/probe"
    [ "$(docker run --rm --network none --volume "$FIVE_RESULTS:/results:ro" \
        "$runtime_image" cat /results/probe 2>&1)" = seen ]
}

# Sets `prometheus_image` to one that is pulled, or else made of this machine's own Prometheus.
have_prometheus_image() {
    prometheus_image=$(sed -n 's/.*PROMETHEUS_IMAGE:-\(.*\)}.*/\1/p' docker-compose.yml)
    if docker image inspect "$prometheus_image" >/dev/null 2>&1; then return; fi
    if timeout 120 docker pull --quiet "$prometheus_image" >/dev/null 2>&1; then
        made_images+=("$prometheus_image")
        return
    fi
    command -v prometheus >/dev/null || return
    local context=$scratch/prometheus
    prometheus_image=five-ways-prometheus:$FIVE_TAG
    mkdir "$context" && cp "$(command -v prometheus)" "$context/prometheus"
    printf 'FROM %s\nCOPY prometheus /bin/prometheus\nUSER 65534\nENTRYPOINT ["/bin/prometheus"]\n' \
        "$runtime_image" >"$context/Dockerfile"
    quietly docker build --force-rm --tag "$prometheus_image" "$context"
    rm -rf "$context"
    made_images+=("$prometheus_image")
}

# What this run tagged, then what the older builder left of our stages.
remove_images() {
    docker image rm "$image" "${made_images[@]}" >/dev/null 2>&1 || true
    local left
    left=$(docker image ls --all --quiet --no-trunc --filter dangling=true \
        --filter label=five-ways.stage | sort -u | comm -13 <(echo "$images_before") -)
    [ -z "$left" ] || xargs docker image rm >/dev/null 2>&1 <<<"$left" || true
}
