#!/usr/bin/env bash
# One machine of a highly available control plane: etcd, PostgreSQL under Patroni, and a node of BackupDr. Each verb becomes the program, for
# a service of systemd (systemd/*.service) or for cluster.sh.
#   member.sh etcd | patroni | node | env
# Packages: etcd-server patroni python3-etcd postgresql-15. Its parameters, in /etc/backupdr/ha.env or the environment:
#   BACKUPDR_HA_NAME=node1                                     which of the members this machine is
#   BACKUPDR_HA_MEMBERS="node1=10.0.0.11 node2=10.0.0.12 …"    all of them; "name=address+N" moves all its ports by N
#   BACKUPDR_HA_ETCD="node1 node2 node3"                       those with etcd: one, three or five (all by default)
#   BACKUPDR_HA_DATABASES="node1 node2 node3"                  those with PostgreSQL: two or more (all by default)
#   BACKUPDR_HA_PASSWORD, BACKUPDR_HA_SUPERUSER_PASSWORD       of the database's users "backupdr" and "postgres"
#   BACKUPDR_HA_DATA=/var/lib/backupdr-ha                      BACKUPDR_HA_APP=/opt/backupdr   BACKUPDR_HA_SETTINGS=/etc/backupdr/appsettings.json
# Ports: etcd 2379 and 2380, Patroni 8008, PostgreSQL 5432, console 8420, agents 8421.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -r /etc/backupdr/ha.env ] && [ -z "${BACKUPDR_HA_NAME:-}" ]; then set -a; . /etc/backupdr/ha.env; set +a; fi
NAME=${BACKUPDR_HA_NAME:?which member is this machine}
: "${BACKUPDR_HA_MEMBERS:?all members}"
DATA=${BACKUPDR_HA_DATA:-/var/lib/backupdr-ha}
PG_BIN=${BACKUPDR_HA_PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
ALL=$(for member in $BACKUPDR_HA_MEMBERS; do echo "${member%%=*}"; done)
ETCD=${BACKUPDR_HA_ETCD:-$ALL} DATABASES=${BACKUPDR_HA_DATABASES:-$ALL}

address() { local m; for m in $BACKUPDR_HA_MEMBERS; do [ "${m%%=*}" = "$1" ] && { m=${m#*=}; echo "${m%%+*}"; return; }; done; echo "no member $1" >&2; return 1; }
port() { local m; for m in $BACKUPDR_HA_MEMBERS; do [ "${m%%=*}" = "$1" ] && { case $m in *+*) echo $(($2 + ${m##*+}));; *) echo "$2";; esac; return; }; done; return 1; }
at() { echo "$(address "$1"):$(port "$1" "$2")"; }
list() { local m out=""; for m in $1; do out+="${out:+,}${3:-}$(at "$m" "$2")${3:-}"; done; echo "$out"; }
unprivileged() {   # etcd and PostgreSQL do not run as root
    mkdir -p "$DATA/run"
    if [ "$(id -u)" = 0 ]; then chown postgres "$DATA" "$DATA/run"; cd /; exec setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups -- "$@"; fi
    exec "$@"
}

case ${1:-} in
  etcd)
    peers=""; for m in $ETCD; do peers+="${peers:+,}$m=http://$(at "$m" 2380)"; done
    unprivileged etcd --name "$NAME" --data-dir "$DATA/etcd" ${BACKUPDR_HA_ETCD_OPTIONS:-} \
        --listen-client-urls "http://$(at "$NAME" 2379)" --advertise-client-urls "http://$(at "$NAME" 2379)" \
        --listen-peer-urls "http://$(at "$NAME" 2380)" --initial-advertise-peer-urls "http://$(at "$NAME" 2380)" \
        --initial-cluster "$peers" --initial-cluster-token backupdr;;
  patroni)
    mkdir -p "$DATA/run"
    ADDRESS=$(address "$NAME") REST_PORT=$(port "$NAME" 8008) PG_PORT=$(port "$NAME" 5432) ETCD_HOSTS=$(list "$ETCD" 2379 "'")
    SUPERUSER_PASSWORD=${BACKUPDR_HA_SUPERUSER_PASSWORD:?} SHARED_BUFFERS=${BACKUPDR_HA_SHARED_BUFFERS:-256MB} FSYNC=${BACKUPDR_HA_FSYNC:-on}
    text=$(<"$HERE/patroni.yml")
    for name in NAME ADDRESS REST_PORT PG_PORT ETCD_HOSTS SUPERUSER_PASSWORD SHARED_BUFFERS FSYNC HERE DATA PG_BIN; do text=${text//"\${$name}"/${!name}}; done
    (umask 077; printf '%s\n' "$text" >"$DATA/patroni.yml"); [ "$(id -u)" != 0 ] || chown postgres "$DATA/patroni.yml"
    export BACKUPDR_HA_PASSWORD
    unprivileged patroni "$DATA/patroni.yml";;
  node)
    exec "${BACKUPDR_HA_APP:-/opt/backupdr}/backupdr" console --settings "${BACKUPDR_HA_SETTINGS:-/etc/backupdr/appsettings.json}";;
  env)   # for the settings of the first node, and for scripts
    echo "BACKUPDR__Database__ConnectionString='Host=$(list "$DATABASES" 5432);Username=backupdr;Password=${BACKUPDR_HA_PASSWORD:?};Database=backupdr'"
    echo "CONSOLE=$(at "$NAME" 8420) AGENTS=$(at "$NAME" 8421) REST=$(at "$NAME" 8008) POSTGRES=$(at "$NAME" 5432)";;
  *) sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2;;
esac
