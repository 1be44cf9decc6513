# One image with all six programs: the five servers and the load test.
#
# It needs nothing that only BuildKit has. The stages up to `build` are labelled, so that what
# the older builder leaves of them can be told from other images.
ARG BUILD_IMAGE=rust:1.95.0-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

# The workspace without its code: what decides which dependencies are built, and how.
FROM ${BUILD_IMAGE} AS manifests
LABEL five-ways.stage=manifests
WORKDIR /src
COPY . .
RUN find . -type f \
        ! -name Cargo.toml ! -name Cargo.lock \
        ! -path '*/src/main.rs' ! -path '*/src/lib.rs' -delete \
    && find . -name '*.rs' | while read -r file; do echo 'fn main() {}' >"$file"; done

# The dependencies: a layer that stays as long as the manifests do.
FROM ${BUILD_IMAGE} AS build
LABEL five-ways.stage=build
# The one thing that is not as in Cargo.toml: debug symbols, which would be most of the image.
ENV CARGO_PROFILE_RELEASE_DEBUG=false
WORKDIR /src
COPY --from=manifests /src .
RUN cargo build --release --locked --workspace --bins
COPY . .
# The code may well be older than what was just built of its stand-ins.
RUN find servers loadtest -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --workspace --bins \
    && mkdir /programs \
    && cp target/release/server-threads target/release/server-mio target/release/server-may \
        target/release/server-actix target/release/server-tokio target/release/loadtest /programs

# Nothing is run in this one, so that a base without a shell will do.
FROM ${RUNTIME_IMAGE}
COPY --from=build /programs /usr/local/bin
# A load test leaves its results in `results` below: mount a folder there.
WORKDIR /work
# Nobody in particular: a number needs no entry in /etc/passwd.
USER 65532:65532

# Variables, not options: where a server listens is where its health check has to ask. Health and
# figures have a port of their own, which answers in every mode, however busy the main one is.
ENV FIVE_LISTEN=0.0.0.0:8080 FIVE_ADMIN=0.0.0.0:9090
EXPOSE 8080 9090
# Each check starts a process, which costs more than many requests: seldom, unless somebody waits.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["loadtest", "serve", "--health"]
# Becomes the server that BACKEND names, or the first argument; the others are its options.
ENTRYPOINT ["loadtest", "serve"]

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Five Ways" \
      org.opencontainers.image.description="One HTTP/1.1 service, written five times, and its load test" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
