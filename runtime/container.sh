#!/bin/sh
# `binraft` in a container (Dockerfile), on the one runtime that is there.
#
# A new volume belongs to root (Fly.io, Docker), so this begins as root, gives the data directory to
# a user of no rights, and goes on as that one. Started as another user it leaves all as it is.
set -eu
USER_ID=10001

here=$(dirname "$(readlink -f "$0")")
data=${BINRAFT_NODE_DATA_DIR:-./data}
if [ "$(id -u)" = 0 ]; then
  install -d "$(dirname "$data")"
  install -d -o $USER_ID -g $USER_ID -m 0700 "$data"
  exec setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --no-new-privs -- "$0" "$@"
fi
main=$here/dist/runtime/main.js
if [ -x "$here/bin/node" ]; then
  exec "$here/bin/node" --max-semi-space-size=1 "$main" "$@"
elif [ -x "$here/bin/bun" ]; then
  exec "$here/bin/bun" "$main" "$@"
fi
exec "$here/bin/deno" run --quiet --no-prompt --no-remote --no-check \
  --allow-net --allow-read --allow-write --allow-env --allow-sys "$main" "$@"
