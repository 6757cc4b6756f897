#!/bin/sh
# Run once, by PostgreSQL's image, in an empty cluster: the two roles, the database, and no connection without TLS.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set owner="$(cat /run/secrets/owner_password)" --set application="$(cat /run/secrets/application_password)" <<'SQL'
CREATE ROLE aaperture_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE aaperture_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'application';
CREATE DATABASE aaperture OWNER aaperture_owner;
REVOKE ALL ON DATABASE aaperture FROM PUBLIC;
GRANT CONNECT ON DATABASE aaperture TO aaperture_app;
SQL
cat >"$PGDATA/pg_hba.conf" <<'HBA'
local   all       all                               scram-sha-256
hostssl aaperture aaperture_app,aaperture_owner all scram-sha-256
HBA
