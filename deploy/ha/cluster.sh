#!/usr/bin/env bash
# The whole of it on one machine, from nothing: etcd, PostgreSQL under Patroni, three nodes behind HAProxy. To try it, and for the tests;
# on three machines member.sh and its services do the same.
#   cluster.sh up DIR            makes and starts all; prints addresses and the file with the API key
#   cluster.sh start DIR WHAT    starts one that ended: node1 … node3, patroni-node1 …, etcd-node1 …, haproxy
#   cluster.sh kill DIR WHAT     ends it with SIGKILL (patroni: its PostgreSQL too)
#   cluster.sh pid DIR WHAT      its process;   cluster.sh primary DIR    the member that is the primary
#   cluster.sh wait DIR          until each server of the database is the primary or a standby in step with it: only then may one be lost
#   cluster.sh join DIR node4    joins one more node while all goes on (HAProxy has a place for it; agents learn of it by themselves)
#   cluster.sh down DIR          ends all; DIR stays
# Packages: haproxy and those of member.sh. BACKUPDR_HA_APP is the folder with the program backupdr. BACKUPDR_HA_OFFSET moves all ports
# (20000 by default), BACKUPDR_HA_ETCD and BACKUPDR_HA_DATABASES are as in member.sh, BACKUPDR_HA_BALANCER is haproxy, nginx or none.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
verb=${1:?up, start, kill, pid, primary, wait, join or down}; DIR=${2:?a folder}; mkdir -p "$DIR/run"; DIR=$(cd "$DIR" && pwd)
[ ! -r "$DIR/ha.env" ] || { set -a; . "$DIR/ha.env"; set +a; }
member() { BACKUPDR_HA_NAME=$1 BACKUPDR_HA_DATA=$DIR/$1 BACKUPDR_HA_SETTINGS=$DIR/$1.json "$HERE/member.sh" "$2"; }
value() { member "$1" env | sed -n "s/.*$2=\([^ ]*\).*/\1/p"; }
pid() { local p; p=$(cat "$DIR/run/$1.pid" 2>/dev/null) && [ -e "/proc/$p" ] && echo "$p"; }
background() { local what=$1; shift; [ -z "$(pid "$what" || true)" ] || return 0; ( exec setsid "$@" ) >>"$DIR/run/$what.log" 2>&1 </dev/null & echo $! >"$DIR/run/$what.pid"; }
wait_for() { local what=$1 until=$((SECONDS + ${BACKUPDR_HA_PATIENCE:-120})); shift; until "$@" >/dev/null 2>&1; do ((SECONDS < until)) || { echo "$what did not come; see $DIR/run" >&2; exit 1; }; sleep 0.2; done; }
launch() {
    case $1 in
      haproxy|nginx) balancer "$1";;
      *-*) export BACKUPDR_HA_NAME=${1#*-} BACKUPDR_HA_DATA=$DIR/${1#*-}; background "$1" "$HERE/member.sh" "${1%%-*}";;
      *) export BACKUPDR_HA_NAME=$1 BACKUPDR_HA_SETTINGS=$DIR/$1.json; background "$1" "$HERE/member.sh" node;;
    esac
}
balancer() {
    local n; for n in 1 2 3 4; do [[ $BACKUPDR_HA_MEMBERS = *node$n=* ]] || continue; export "BACKUPDR_NODE${n}_CONSOLE=$(value "node$n" CONSOLE)" "BACKUPDR_NODE${n}_AGENTS=$(value "node$n" AGENTS)"; done
    export BACKUPDR_CONSOLE_BIND=127.0.0.1:$CONSOLE_PORT BACKUPDR_AGENTS_BIND=127.0.0.1:$AGENTS_PORT
    export BACKUPDR_CONSOLE_LISTEN=$BACKUPDR_CONSOLE_BIND BACKUPDR_AGENTS_LISTEN=$BACKUPDR_AGENTS_BIND
    if [ "$1" = haproxy ]; then background haproxy haproxy -db -f "$HERE/../haproxy.cfg"; return; fi
    local text name; text=$(<"$HERE/../nginx.conf")
    for name in $(compgen -v BACKUPDR_); do text=${text//"\${$name}"/${!name}}; done
    printf '%s\n' "$text" >"$DIR/nginx.conf"
    background nginx nginx -c "$DIR/nginx.conf" -g "daemon off; pid $DIR/run/nginx.own; error_log stderr;"
}
ready() { curl -sf -m 3 -o /dev/null "http://$(value "$1" CONSOLE)/health/ready"; }
primary() { local m; for m in $BACKUPDR_HA_DATABASES; do curl -sf -m 2 -o /dev/null "http://$(value "$m" REST)/primary" && echo "$m" && return; done; return 1; }
standing() {   # each server is the primary or follows it closely, and one standby has every commit: without that one Patroni promotes none
    local m rest primaries=0 standbys=0 safe=0
    for m in $BACKUPDR_HA_DATABASES; do
        rest="http://$(value "$m" REST)"
        if curl -sf -m 2 -o /dev/null "$rest/primary"; then primaries=$((primaries + 1)); continue; fi
        curl -sf -m 2 -o /dev/null "$rest/replica?lag=1MB" || return 1
        standbys=$((standbys + 1)); if curl -sf -m 2 -o /dev/null "$rest/synchronous"; then safe=1; fi
    done
    [ $primaries = 1 ] && { [ $standbys = 0 ] || [ $safe = 1 ]; }
}
members() {   # what Patroni says of each, for an error
    local m; for m in $BACKUPDR_HA_DATABASES; do echo "$m: $(curl -s -m 2 "http://$(value "$m" REST)/patroni" | head -c 300 || true)" >&2; done
}
wait_standing() { local until=$((SECONDS + ${BACKUPDR_HA_PATIENCE:-120})); until standing; do ((SECONDS < until)) || { echo "Not every database server follows the primary; see $DIR/run/patroni-*.log. What Patroni says:" >&2; members; exit 1; }; sleep 0.3; done; }
join() {
    if [ ! -e "$DIR/$1.json" ]; then
        export BACKUPDR_URL="http://$(value node1 CONSOLE)" BACKUPDR_API_KEY_FILE="$DIR/api-key"
        local command; command=$("$BACKUPDR_HA_APP/backupdr" node add --json | sed -n 's/.*"command": *"\([^"]*\)".*/\1/p' | sed 's/\\u0027/'"'"'/g')
        PATH="$BACKUPDR_HA_APP:$PATH" sh -c "$command --name $1 --settings '$DIR/$1.json' --key-file '$DIR/$1.key'"
        # On one machine each needs ports of its own.
        sed -i "s|\"Url\": \"http:[^\"]*\"|\"Url\": \"http://$(value "$1" CONSOLE)\"|; s|\"Url\": \"https:[^\"]*\"|\"Url\": \"https://$(value "$1" AGENTS)\"|" "$DIR/$1.json"
    fi
    launch "$1"
}
up() {
    if [ ! -e "$DIR/ha.env" ]; then
        local offset=${BACKUPDR_HA_OFFSET:-20000}
        (umask 077; cat >"$DIR/ha.env" <<V
BACKUPDR_HA_APP=${BACKUPDR_HA_APP:-/opt/backupdr}
BACKUPDR_HA_MEMBERS="node1=127.0.0.1+$offset node2=127.0.0.1+$((offset + 10)) node3=127.0.0.1+$((offset + 20)) node4=127.0.0.1+$((offset + 30))"
BACKUPDR_HA_ETCD="${BACKUPDR_HA_ETCD:-node1 node2 node3}"
BACKUPDR_HA_DATABASES="${BACKUPDR_HA_DATABASES:-node1 node2 node3}"
BACKUPDR_HA_BALANCER=${BACKUPDR_HA_BALANCER:-haproxy}
BACKUPDR_HA_PASSWORD=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
BACKUPDR_HA_SUPERUSER_PASSWORD=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
BACKUPDR_HA_SHARED_BUFFERS=${BACKUPDR_HA_SHARED_BUFFERS:-64MB}
BACKUPDR_HA_FSYNC=${BACKUPDR_HA_FSYNC:-on}
BACKUPDR_HA_ETCD_OPTIONS="${BACKUPDR_HA_ETCD_OPTIONS:-}"
CONSOLE_PORT=$((8480 + offset))
AGENTS_PORT=$((8481 + offset))
V
        head -c 24 /dev/urandom | base64 | tr -d '\n' >"$DIR/api-key")
        set -a; . "$DIR/ha.env"; set +a
    fi
    chmod 711 "$DIR"; local m
    for m in $BACKUPDR_HA_ETCD; do launch "etcd-$m"; done
    for m in $BACKUPDR_HA_ETCD; do wait_for "etcd on $m" curl -sf -m 2 "http://127.0.0.1:$((2379 + $(value "$m" CONSOLE | sed 's/.*://') - 8420))/health"; done
    for m in $BACKUPDR_HA_DATABASES; do launch "patroni-$m"; done
    wait_for "the primary" primary
    eval "$(member node1 env | head -1)"
    wait_for "the database" env PGCONNECT_TIMEOUT=3 PGPASSWORD="$BACKUPDR_HA_PASSWORD" psql -h 127.0.0.1 -p "$(value "$(primary)" POSTGRES | sed 's/.*://')" -U backupdr -d backupdr -c 'select 1'
    local public=""; [ "$BACKUPDR_HA_BALANCER" = none ] || public=https://127.0.0.1:$AGENTS_PORT
    [ -e "$DIR/node1.json" ] || (umask 077; cat >"$DIR/node1.json" <<J
{
  "Database": { "ConnectionString": "$BACKUPDR__Database__ConnectionString" },
  "Console": { "Url": "http://$(value node1 CONSOLE)", "TrustedProxies": "127.0.0.1" },
  "Agents": { "Url": "https://$(value node1 AGENTS)", "PublicUrl": "$public" },
  "Secrets": { "KeyFile": "$DIR/node1.key" },
  "Bootstrap": { "ApiKeyFile": "$DIR/api-key" },
  "Node": { "Name": "node1" }
}
J
)
    unset BACKUPDR__Database__ConnectionString
    launch node1; wait_for node1 ready node1
    if [ "$BACKUPDR_HA_BALANCER" != none ]; then
        launch "$BACKUPDR_HA_BALANCER"
        wait_for "the balancer" curl -sf -m 3 -o /dev/null "http://127.0.0.1:$CONSOLE_PORT/health/ready"
    fi
    for m in node2 node3; do join "$m"; done
    for m in node2 node3; do wait_for "$m" ready "$m"; done
    wait_standing
    echo "console http://127.0.0.1:$CONSOLE_PORT agents https://127.0.0.1:$AGENTS_PORT key $DIR/api-key"
}
postmaster() { head -1 "$DIR/${1#patroni-}/postgres/postmaster.pid" 2>/dev/null || true; }
down() {
    local what p
    for what in haproxy nginx node1 node2 node3; do p=$(pid "$what") && kill -TERM "$p" || true; done
    for what in node1 node2 node3; do for _ in $(seq 100); do [ -n "$(pid "$what" || true)" ] || break; sleep 0.1; done; done
    for what in $(cd "$DIR/run" && ls -- patroni-*.pid 2>/dev/null); do
        what=${what%.pid}; p=$(pid "$what") && kill -TERM "$p" || true
        for _ in $(seq 100); do [ -n "$(pid "$what" || true)" ] || break; sleep 0.1; done
        p=$(postmaster "$what"); [ -z "$p" ] || kill -QUIT "$p" 2>/dev/null || true   # one caught in a restart leaves its server behind
    done
    for what in $(cd "$DIR/run" && ls -- *.pid 2>/dev/null); do p=$(pid "${what%.pid}") && kill -KILL "$p" || true; done
}
case $verb in
  up) up;;
  start) launch "${3:?what}";;
  kill) p=$(pid "${3:?what}") && kill -KILL "$p"; case $3 in patroni-*) p=$(postmaster "$3"); [ -z "$p" ] || kill -KILL "$p" 2>/dev/null || true;; esac;;
  pid) pid "${3:?what}";;
  primary) primary;;
  wait) wait_standing;;
  join) join "${3:?which}"; wait_for "$3" ready "$3";;
  down) down;;
  *) sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2;;
esac
