#!/bin/sh
# Starts the server that BACKEND names with the options given, or another program of the image.
set -eu

case "${1:-}" in
loadtest | server-*) exec "$@" ;;
esac

case "${BACKEND:=tokio}" in
threads | mio | may | actix | tokio) exec "server-$BACKEND" "$@" ;;
esac
echo "BACKEND=$BACKEND: no such backend; it is one of threads, mio, may, actix, tokio" >&2
exit 2
