# shellcheck shell=bash
# Base images made of this machine's own parts, for where none can be pulled: a Debian by
# debootstrap, with this machine's certificates and, to build with, its Rust toolchain.

# What was made here, to be removed in the end.
made_images=()

# Makes sure of the image that an ARG of the Dockerfile names: have_base ARG build|runtime
have_base() { have_image "$(default_of "$1")" "$2"; }

# The value that the Dockerfile gives to an ARG.
default_of() { sed -n "s/^ARG $1=//p" Dockerfile; }

# have_image IMAGE build|runtime
have_image() {
    local image=$1
    if docker image inspect "$image" >/dev/null 2>&1; then
        echo "base image $image: present"
    elif timeout 120 docker pull --quiet "$image" >/dev/null 2>&1; then
        echo "base image $image: pulled"
        made_images+=("$image")
    else
        can_make_bases || skip "$image can't be pulled, nor made here but by root on a Debian"
        echo "base image $image: can't be pulled, so it is made here"
        make_base "$image" "$2"
        made_images+=("$image")
    fi
}

# make_base IMAGE build|runtime
make_base() {
    local image=$1 kind=$2 suite root packages=ca-certificates
    suite=$(grep -oE 'bookworm|trixie|forky|sid' <<<"$image") || {
        echo "can't tell from its name which Debian $image is" >&2
        return 1
    }
    [ "$kind" = build ] && packages+=,gcc,libc6-dev
    need_debootstrap
    root=$(mktemp -d)
    # In a subshell, so that the folder goes whatever fails.
    (
        trap 'rm -rf --one-file-system "$root"' EXIT
        debootstrap --variant=minbase --include="$packages" "$suite" "$root" >"$root.log" 2>&1 ||
            { tail -n 5 "$root.log" >&2; exit 1; }
        rm -rf "$root.log" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
        cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
        [ "$kind" = build ] && copy_toolchain "$root"
        tar -C "$root" -c . | docker import \
            --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            --change 'ENV CARGO_HOME=/usr/local/cargo' \
            --change 'CMD ["bash"]' - "$image" >/dev/null
    )
}

# This machine's toolchain, and how its cargo reaches the registry.
copy_toolchain() {
    local root=$1 sysroot config
    sysroot=$(rustc --print sysroot)
    cp -a "$sysroot/bin" "$sysroot/lib" "$root/usr/local/"
    mkdir -p "$root/usr/local/cargo"
    for config in "${CARGO_HOME:-$HOME/.cargo}"/config.toml "${CARGO_HOME:-$HOME/.cargo}"/config; do
        if [ -f "$config" ]; then cp "$config" "$root/usr/local/cargo/"; fi
    done
}

can_make_bases() {
    [ "$(id -u)" -eq 0 ] && { command -v debootstrap || command -v apt-get; } >/dev/null
}

need_debootstrap() {
    command -v debootstrap >/dev/null && return
    apt-get update -q >/dev/null
    apt-get install -q -y --no-install-recommends debootstrap >/dev/null
}
