#!/bin/sh
# Removes .venv, .data and, for root, the clusters of this clone below /var/lib/aaperture (see aaperture/lib/embedded/place.py).
set -eu
here=$(pwd -P)
if [ -e .data/servers.lock ] && ! flock --nonblock .data/servers.lock true; then
    echo "Aaperture runs in this folder; stop it first." >&2
    exit 1
fi
for note in /var/lib/aaperture/*/state; do
    [ -r "$note" ] || continue
    folder=$(head -n 1 "$note")
    case "$folder" in
    "$here/.data" | "$here/.data/"*) rm -rf "$(dirname "$note")" ;;
    *) [ "$(tail -n 1 "$note")" != test ] || [ -e "$folder" ] || rm -rf "$(dirname "$note")" ;;
    esac
done
rm -rf .venv .data .mypy_cache .ruff_cache .pytest_cache staticfiles
