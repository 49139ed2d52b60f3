#!/usr/bin/env bash
# Initialises an empty data directory once, then becomes the server.
#
# The environment is the official image's: POSTGRES_PASSWORD(_FILE), POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS,
# POSTGRES_HOST_AUTH_METHOD, PGDATA, and the scripts in /docker-entrypoint-initdb.d.
# One thing differs: the cluster is made in a folder below PGDATA and moved up when everything has succeeded, PG_VERSION last.
# A container that is killed half way therefore starts over instead of serving a database without its roles.
set -euo pipefail

readonly STAGE_NAME=.stackctl-initialising
readonly SOCKET_DIRECTORY=/var/run/postgresql
readonly SCRIPTS=/docker-entrypoint-initdb.d

say() { printf 'entrypoint: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

asks_for_information() {
    local argument
    for argument in "$@"; do
        case $argument in -\? | --help | --describe-config | -V | --version | -C) return 0 ;; esac
    done
    return 1
}

read_password() {
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        if [ -n "${POSTGRES_PASSWORD:-}" ]; then fail 'POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set'; fi
        if [ ! -r "$POSTGRES_PASSWORD_FILE" ]; then fail "cannot read $POSTGRES_PASSWORD_FILE as user $(id -u)"; fi
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    fi
    export POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        fail 'an empty data directory needs POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD'
    fi
}

# Only what this script put there can lie beside the stage: it is made in an empty directory.
discard_unfinished() {
    if [ ! -d "$target/$STAGE_NAME" ]; then return 0; fi
    say 'an earlier initialisation did not finish; starting over'
    find "$target" -mindepth 1 -maxdepth 1 ! -name "$STAGE_NAME" -exec rm -rf -- {} +
    rm -rf -- "${target:?}/$STAGE_NAME"
}

require_empty() {
    local found
    found=$(find "$target" -mindepth 1 -maxdepth 1 ! -name lost+found | head -n 1)
    if [ -n "$found" ]; then fail "$target has no PG_VERSION and is not empty (first entry: $found); nothing was changed"; fi
}

create_cluster() {
    local -a options=()
    # The official image evaluates the variable, so quotes in it group words.
    eval "options=(${POSTGRES_INITDB_ARGS:-})"
    if [ -n "$POSTGRES_PASSWORD" ]; then options+=(--pwfile=/dev/fd/3); fi
    # A descriptor keeps the password out of argument lists and of files.
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" "${options[@]}" 3<<<"$POSTGRES_PASSWORD"
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# The server's own arguments apply, so that preloaded libraries exist for the scripts; it can be reached on the socket only.
start_temporary_server() {
    local options
    shift
    options=$(printf '%q ' "$@" -c data_directory="$PGDATA" -c listen_addresses= -c unix_socket_directories="$SOCKET_DIRECTORY" -p 5432)
    pg_ctl --pgdata="$PGDATA" --options="$options" --wait --timeout=300 start
}

stop_temporary_server() {
    if [ -s "$PGDATA/postmaster.pid" ]; then pg_ctl --pgdata="$PGDATA" --mode=fast --wait --timeout=300 stop; fi
}

run_sql() { psql --no-psqlrc --no-password -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"; }

create_database() {
    local exists
    exists=$(run_sql --dbname postgres -v db="$POSTGRES_DB" -tA <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
    if [ -n "$exists" ]; then return 0; fi
    run_sql --dbname postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
}

# A trap waits for a foreground program, however long it takes; it interrupts `wait` at once.
interruptible() {
    "$@" &
    wait "$!"
}

run_scripts() {
    local file
    for file in "$SCRIPTS"/*; do
        case $file in
            *.sh)
                say "running $file"
                # shellcheck source=/dev/null
                if [ -x "$file" ]; then interruptible "$file"; else . "$file"; fi
                ;;
            *.sql)
                say "running $file"
                interruptible run_sql --dbname "$POSTGRES_DB" --file "$file"
                ;;
            "$SCRIPTS/*") ;;
            *) say "ignoring $file" ;;
        esac
    done
}

publish_cluster() {
    chmod 0700 "$target"
    find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$target" -- {} +
    # PG_VERSION says "finished": it must not reach the disk before what it speaks for.
    sync --file-system "$target"
    mv "$PGDATA/PG_VERSION" "$target/PG_VERSION"
    rmdir "$PGDATA"
    sync --file-system "$target"
}

interrupted() {
    trap '' INT TERM
    stop_temporary_server || true
    say 'stopped during initialisation; the next start begins again'
    exit 130
}

initialise() {
    local from_file=${POSTGRES_PASSWORD_FILE:-}
    export POSTGRES_USER=${POSTGRES_USER:-postgres}
    export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    read_password
    discard_unfinished
    require_empty
    export PGDATA=$target/$STAGE_NAME PGHOST=$SOCKET_DIRECTORY PGPASSWORD=${POSTGRES_PASSWORD}
    mkdir -m 0700 "$PGDATA"
    trap interrupted INT TERM
    create_cluster
    start_temporary_server "$@"
    create_database
    run_scripts
    stop_temporary_server
    publish_cluster
    trap - INT TERM
    export PGDATA=$target
    unset PGHOST PGPASSWORD
    if [ -n "$from_file" ]; then unset POSTGRES_PASSWORD; fi
    say 'initialisation complete; ready for start up'
}

# Started as root without a `user:`, the server would refuse: hand the directories over and continue as postgres.
drop_root() {
    mkdir -p "$target"
    find "$target" "$SOCKET_DIRECTORY" \! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
}

main() {
    case ${1:-} in '' | -*) set -- postgres "$@" ;; esac
    readonly target=${PGDATA:?}
    if [ "$1" = postgres ] && ! asks_for_information "$@"; then
        if [ "$(id -u)" -eq 0 ]; then drop_root "$@"; fi
        if [ ! -s "$target/PG_VERSION" ]; then
            initialise "$@"
        elif [ -d "$target/$STAGE_NAME" ]; then
            rmdir "$target/$STAGE_NAME"
        fi
    fi
    exec "$@"
}

main "$@"
