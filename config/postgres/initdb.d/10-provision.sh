#!/bin/sh
# Runs once, on an empty data directory, while the server listens on its socket only.
set -eu
# Not for a receiver, which is not there yet.
export PGOPTIONS='-c synchronous_commit=local'
exec psql -X -q -U postgres -d postgres -f /etc/stackctl/postgres/provision.sql
