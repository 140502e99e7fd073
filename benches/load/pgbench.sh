#!/bin/sh
# pgbench, read only: direct, through Scrim for a role that is untouched, through Scrim for a role that is masked.
#
# Runs inside `scrim demo -- …`, which sets PG* for Scrim and SCRIM_DEMO_* for the database behind it;
# `cargo xtask bench-load` does it all. The three take turns in short rounds, so that whatever else the machine
# does hits all of them, and what is compared is the median of the rounds.
#
#   pgbench.sh [SECONDS A ROUND] [ROUNDS] [CLIENTS]
set -eu

seconds=${1:-5}
rounds=${2:-5}
clients=${3:-16}

: "${SCRIM_DEMO_DATABASE_HOST:?run me by: cargo xtask bench-load}"
PATH=$SCRIM_DEMO_POSTGRES_BIN:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/select.sql" <<'SQL'
\set id random(1, 40)
SELECT id, name, email, phone, balance FROM public.customers WHERE id = :id;
SQL

# one WAY PROTOCOL: transactions a second
one() {
    case $1 in
        direct)
            set -- "$2" "$SCRIM_DEMO_DATABASE_HOST" "$SCRIM_DEMO_DATABASE_PORT" "$SCRIM_DEMO_DATABASE_USER" \
                "$SCRIM_DEMO_DATABASE_PASSWORD" ;;
        untouched) set -- "$2" "$PGHOST" "$PGPORT" dba dba-demo ;;
        masked) set -- "$2" "$PGHOST" "$PGPORT" alice alice-demo ;;
    esac
    PGPASSWORD=$5 pgbench -n -M "$1" -h "$2" -p "$3" -U "$4" -c "$clients" -j 2 -T "$seconds" \
        -f "$folder/select.sql" "$PGDATABASE" 2>"$folder/errors" >"$folder/output" ||
        { cat "$folder/errors" >&2; exit 1; }
    awk '/^tps = / { print $3; found = 1 } END { exit !found }' "$folder/output" ||
        { cat "$folder/output" "$folder/errors" >&2; exit 1; }
}

median() {
    sort -n "$1" | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

echo "$clients clients, $rounds rounds of $seconds s for each way and protocol; median transactions a second"
printf '%-10s %10s %10s %10s %12s %10s\n' protocol direct untouched masked untouched/d masked/d
for protocol in simple extended prepared; do
    for way in direct untouched masked; do : >"$folder/$way"; done
    round=0
    while [ "$round" -lt "$rounds" ]; do
        for way in direct untouched masked; do one "$way" "$protocol" >>"$folder/$way"; done
        round=$((round + 1))
    done
    direct=$(median "$folder/direct")
    untouched=$(median "$folder/untouched")
    masked=$(median "$folder/masked")
    awk -v p="$protocol" -v d="$direct" -v u="$untouched" -v m="$masked" \
        'BEGIN { printf "%-10s %10.0f %10.0f %10.0f %12.2f %10.2f\n", p, d, u, m, u / d, m / d }'
done
