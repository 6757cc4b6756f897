#!/bin/sh
# Forced command of the deployment key on the production host (see docs/deployment.md): builds a revision of main and
# changes over to it. Takes a commit id and nothing else.
set -eu
revision=${SSH_ORIGINAL_COMMAND:-${1:-}}
case "$revision" in
*[!0-9a-f]* | "") echo "a full commit id is needed" >&2; exit 2 ;;
esac
[ ${#revision} -eq 40 ] || { echo "a full commit id is needed" >&2; exit 2; }
cd "$(dirname "$0")/.."
git fetch --quiet origin main
git merge-base --is-ancestor "$revision" origin/main || { echo "$revision is not on main" >&2; exit 2; }
git checkout --quiet --detach "$revision"
docker compose build --quiet
docker compose run --rm --no-deps web python manage.py check --deploy --fail-level WARNING
docker compose up --detach --wait
