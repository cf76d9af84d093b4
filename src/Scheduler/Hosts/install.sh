#!/bin/sh
# Installs the BackupDr agent on this host and joins it to the scheduler that served this script.
#
#   ... | sudo sh                        install, join, start (as a systemd service where systemd runs)
#   ... | sudo sh -s -- --no-systemd     the same without systemd: started in the background with a pid file
#   ... | sudo sh -s -- --label=site=berlin --label=tier=prod    labels that the host begins with
#   ... | sudo sh -s -- uninstall        stop the agent and remove its program, state and service
#
# Everything is inside main, called on the last line: a script that was cut off on its way does nothing.
set -eu

AGENTS_URL='{{AGENTS_URL}}'
TOKEN='{{TOKEN}}'
PIN='{{PIN}}'
ARCHIVE_SHA256='{{ARCHIVE_SHA256}}'

PROGRAM_FOLDER=/opt/backupdr-agent
PROGRAM=$PROGRAM_FOLDER/backupdr-agent
STATE_FOLDER=/var/lib/backupdr-agent
UNIT=/etc/systemd/system/backupdr-agent.service
PID_FILE=/run/backupdr-agent.pid
LOG_FILE=/var/log/backupdr-agent.log

fail() {
  printf 'backupdr: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
  exit 1
}

say() { printf '%s\n' "$1"; }

need() { command -v "$1" > /dev/null 2>&1 || fail "the program '$1' is missing on this host." "Install it, then run the same line again."; }

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl > /dev/null 2>&1; }

# The process of the pid file, if it still is our program.
running_pid() {
  [ -r "$PID_FILE" ] || return 1
  pid=$(cat "$PID_FILE")
  case "$(readlink "/proc/$pid/exe" 2> /dev/null)" in "$PROGRAM"*) printf '%s' "$pid" ;; *) return 1 ;; esac
}

stop_background() {
  pid=$(running_pid) || return 0
  kill -TERM "$pid" 2> /dev/null || return 0
  waited=0
  while kill -0 "$pid" 2> /dev/null; do
    [ "$waited" -lt 30 ] || { kill -KILL "$pid" 2> /dev/null || true; break; }
    sleep 1
    waited=$((waited + 1))
  done
  rm -f "$PID_FILE"
}

stop_agent() {
  if has_systemd && [ -f "$UNIT" ]; then systemctl stop backupdr-agent.service || true; fi
  stop_background
}

uninstall() {
  stop_agent
  if [ -f "$UNIT" ]; then
    rm -f "$UNIT"
    if has_systemd; then systemctl disable backupdr-agent.service > /dev/null 2>&1 || true; systemctl daemon-reload; fi
  fi
  rm -rf "$PROGRAM_FOLDER" "$STATE_FOLDER"
  rm -f "$PID_FILE" "$LOG_FILE"
  say "The BackupDr agent is removed from this host. Its backups are untouched; retire the host in the console."
}

download() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  say "Downloading the agent from $AGENTS_URL"
  # -k only switches off the check against public authorities: the pin allows exactly one key, that of this scheduler.
  curl -fsSk --pinnedpubkey "sha256//$PIN" -o "$work/agent.tar.gz" "$AGENTS_URL/agent.tar.gz?token=$TOKEN" \
    || fail "the agent could not be downloaded from $AGENTS_URL." "Is the join token still valid? Make a new one in the console."
  printf '%s  %s\n' "$ARCHIVE_SHA256" "$work/agent.tar.gz" | sha256sum -c - > /dev/null 2>&1 \
    || fail "the downloaded archive is not the one that was announced." "Make a new join line in the console and run that."
  mkdir -p "$work/program"
  tar -xzf "$work/agent.tar.gz" -C "$work/program"
  [ -x "$work/program/backupdr-agent" ] || fail "the archive holds no program 'backupdr-agent'."
}

# The old program stays whole until the new one is complete beside it.
put_in_place() {
  mkdir -p "$(dirname "$PROGRAM_FOLDER")"
  rm -rf "$PROGRAM_FOLDER.new" "$PROGRAM_FOLDER.old"
  cp -R "$work/program" "$PROGRAM_FOLDER.new"
  chown -R 0:0 "$PROGRAM_FOLDER.new"
  chmod 0755 "$PROGRAM_FOLDER.new"
  if [ -d "$PROGRAM_FOLDER" ]; then mv "$PROGRAM_FOLDER" "$PROGRAM_FOLDER.old"; fi
  mv "$PROGRAM_FOLDER.new" "$PROGRAM_FOLDER"
  rm -rf "$PROGRAM_FOLDER.old"
}

start_with_systemd() {
  cat > "$UNIT" << UNIT_END
[Unit]
Description=BackupDr agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=$PROGRAM run --state $STATE_FOLDER
Restart=always
RestartSec=5
KillSignal=SIGTERM
TimeoutStopSec=60
Nice=5

[Install]
WantedBy=multi-user.target
UNIT_END
  chmod 0644 "$UNIT"
  systemctl daemon-reload
  systemctl enable --now backupdr-agent.service > /dev/null 2>&1 \
    || fail "systemd could not start the agent." "See 'journalctl -u backupdr-agent'."
  say "The agent runs as the service backupdr-agent. Log: journalctl -u backupdr-agent"
}

start_in_background() {
  stop_background
  setsid nohup "$PROGRAM" run --state "$STATE_FOLDER" >> "$LOG_FILE" 2>&1 < /dev/null &
  printf '%s\n' $! > "$PID_FILE"
  sleep 1
  running_pid > /dev/null || fail "the agent ended at once." "See $LOG_FILE."
  say "The agent runs in the background (process $(cat "$PID_FILE"), log $LOG_FILE)."
  say "It is not started at boot by itself. To start it then, run as root:"
  say "  $PROGRAM run --state $STATE_FOLDER"
}

main() {
  [ "$(id -u)" = 0 ] || fail "this must run as root." "Put 'sudo' before 'sh' in the line."
  systemd=yes
  action=install
  labels=
  for argument in "$@"; do
    case "$argument" in
      --no-systemd) systemd=no ;;
      --label=?*=?*) labels="${labels:+$labels,}${argument#--label=}" ;;
      uninstall | --uninstall) action=uninstall ;;
      *) fail "'$argument' is not known." "Known are --no-systemd, --label=KEY=VALUE and uninstall." ;;
    esac
  done
  if [ "$action" = uninstall ]; then uninstall; return; fi

  [ "$(uname -s)" = Linux ] || fail "this agent is for Linux, this is $(uname -s)."
  case "$(uname -m)" in x86_64 | amd64) ;; *) fail "this agent is for x86-64, this is $(uname -m)." ;; esac
  for program in curl tar gzip sha256sum mktemp; do need "$program"; done
  has_systemd || systemd=no
  [ "$systemd" = yes ] || need setsid

  download
  "$work/program/backupdr-agent" version > /dev/null || fail "the agent does not run on this host." "The message above says why."
  stop_agent
  put_in_place
  mkdir -p "$STATE_FOLDER"
  chmod 0700 "$STATE_FOLDER"
  if [ -f "$STATE_FOLDER/agent.json" ]; then
    say "This host has joined already; its identity is kept."
  else
    BACKUPDR_JOIN_TOKEN=$TOKEN "$PROGRAM" join "$AGENTS_URL" --state "$STATE_FOLDER" ${labels:+--label "$labels"}
  fi
  if [ "$systemd" = yes ]; then start_with_systemd; else start_in_background; fi
  say "Done. The host appears in the console within a few seconds."
}

main "$@"
