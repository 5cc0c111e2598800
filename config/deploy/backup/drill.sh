#!/usr/bin/env bash
# Proves that a backup of the database can be restored, beside a running deployment, which is only read: see README.md.
set -euo pipefail

usage() {
  cat <<'TEXT'
drill.sh --config FILE [--secrets FILE] --scratch URI (--database URI | --backup FILE | --restored) [--backend NAME]

  --config, --secrets  the configuration of the deployment
  --scratch URI        an empty database that the backup is restored into
  --database URI       take a backup of this database now, with pg_dump
  --backup FILE        or take this one, a file or directory of pg_dump (not of its plain format)
  --restored           or the scratch database holds a restored backup already, for example of pg_basebackup
  --backend NAME       the Postgres backend that leads (default: warm)

Needs bash, ccv-indexer and the Postgres clients of the server's version or a later one. CCV_INDEXER is the command that
is run in place of ccv-indexer. Exit code 0: the backup is good. 1: it is not. 2: the drill could not be done.
TEXT
}

stop() {
  echo "drill: $1" >&2
  exit 2
}

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

config='' secrets='' scratch='' database='' backup='' restored='' backend=warm
while [ $# -gt 0 ]; do
  case $1 in
    --config) config=$2 && shift ;;
    --secrets) secrets=$2 && shift ;;
    --scratch) scratch=$2 && shift ;;
    --database) database=$2 && shift ;;
    --backup) backup=$2 && shift ;;
    --restored) restored=yes ;;
    --backend) backend=$2 && shift ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
if [ -z "$config" ] || [ -z "$scratch" ] || [ -z "$database$backup$restored" ]; then usage >&2 && exit 2; fi
files=(--config "$config")
[ -z "$secrets" ] || files+=(--secrets "$secrets")

work=$(mktemp -d)
made=''
# the schemas of a database, but for those that every one has
others="FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
tidy() {
  # there were none before
  [ -z "$made" ] || psql -XAtq "$scratch" -c "SELECT format('DROP SCHEMA %I CASCADE;', nspname) $others" |
    PGOPTIONS='-c client_min_messages=warning' psql -Xq "$scratch"
  rm -rf "$work"
}
trap tidy EXIT

# shellcheck disable=SC2206 # a command with its first arguments
indexer=(${CCV_INDEXER:-ccv-indexer})
place=CCV_INDEXER__Storage__Sink__Storages__

# doctor OPTION…: its findings, as JSON in a file; its exit code tells the worst of them
doctor() {
  "${indexer[@]}" doctor "${files[@]}" --json "$@" >"$work/doctor.json" 2>"$work/doctor.log" || true
  [ -s "$work/doctor.json" ] || { cat "$work/doctor.log" >&2 && stop 'the doctor could not look'; }
}

# check VARIABLE=VALUE…: sets `found` to the findings of all records that count, with a changed configuration. A backup
# is always behind.
check() {
  export "$@"
  doctor --only schema,tiers --full
  unset "${@%%=*}"
  found=$(node -e '
    const { findings } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    for (const { id, severity, subject, meaning, evidence, next } of findings)
      if (severity !== "info" && id !== "tier-behind")
        console.log(`${id} (${subject}): ${meaning} ${JSON.stringify(evidence)} Next: ${next}`);
  ' "$work/doctor.json")
}

# in place of the lost database; it tells a backend of another name, too
lead=${place}${backend}__Postgres__URI=$scratch
export "${lead?}"
doctor --only config
unset "${lead%%=*}"
namespace=$(node -p '
  const { namespace, findings } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
  const invalid = findings.find(({ id }) => id === "config-invalid");
  invalid ? "" : namespace' "$work/doctor.json")
[ -n "$namespace" ] || { cat "$work/doctor.json" >&2 && stop 'the configuration has no list of backends with that name'; }

began=$SECONDS
if [ -z "$restored" ]; then
  holds=$(psql -XAtq "$scratch" -c "SELECT string_agg(nspname, ' ') $others") || stop 'the scratch database cannot be reached'
  [ -z "$holds" ] || stop "the scratch database holds $holds already: give an empty one, never the deployment's"
  if [ -z "$backup" ]; then
    backup=$work/backup
    pg_dump --format=custom --schema="\"$namespace\"" --file="$backup" "$database" || stop 'no backup could be taken'
    echo "backup taken in $((SECONDS - began)) s, $(wc -c <"$backup") bytes"
    began=$SECONDS
  fi
  made=yes
  pg_restore --exit-on-error --no-owner --no-privileges --dbname="$scratch" "$backup" ||
    fail 'the backup cannot be restored'
  echo "restored in $((SECONDS - began)) s"
else
  busy=$(psql -XAtq "$scratch" -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ccv-indexer'") ||
    stop 'the scratch database cannot be reached'
  [ "$busy" = 0 ] || stop 'processes work on the scratch database: give the restored one, never the deployment'"'"'s'
fi

# as one more backend beside the deployment's own
add=${place}drill__
check "${add}Name=drill" "${add}Type=postgres" "${add}Required=false" "${add}ReadCondition__Type=never" \
  "${add}Postgres__URI=$scratch"
[ -z "$found" ] || fail "$found"
echo 'every record of the backup is the same in the deployment, and none is missing'

# sets `cold` to the cold tier that holds most, or to nothing where there is none
choose() {
  "${indexer[@]}" storage status "${files[@]}" --json >"$work/status.json" 2>"$work/status.log" || true
  cold=$(node -p '
    const { tiers } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const position = ({ description }) => BigInt(description?.position ?? -1);
    const [most] = tiers.filter(({ type }) => type === "s3").sort((a, b) => Number(position(b) - position(a)));
    most?.backend ?? ""' "$work/status.json") || { cat "$work/status.log" >&2 && stop 'the tiers could not be looked at'; }
}

# the cold tier is only read
choose
if [ -n "$cold" ]; then
  # the workers of the deployment may flush meanwhile
  for _ in 1 2 3; do
    began=$SECONDS
    env "$lead" "${indexer[@]}" storage restore "${files[@]}" --from "$cold" --to "$backend" ||
      fail 'the cold tier could not complete the restored database'
    echo "completed from the cold tier in $((SECONDS - began)) s"
    check "$lead"
    [[ $found == tier-ahead* ]] || break
    choose
  done
  [ -z "$found" ] || fail "$found"
  echo 'the restored database and the cold tier hold the same'
fi
echo 'PASSED: the backup is good'
