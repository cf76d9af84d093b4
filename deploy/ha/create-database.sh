#!/usr/bin/env bash
# Called by Patroni once, on the first primary: makes the user and the database of the control plane.
set -euo pipefail
psql "$1" -v ON_ERROR_STOP=1 -v password="$BACKUPDR_HA_PASSWORD" <<'SQL'
create role backupdr login password :'password';
create database backupdr owner backupdr;
SQL
