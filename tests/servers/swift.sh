#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A second S3 server for the tests, independent of the first: OpenStack Swift (one replica) with its
# S3 layer, all on loopback, all files under DIR. It checks the region too, which Ceph does not.
#
#   tests/servers/swift.sh start DIR PORT    S3 on http://127.0.0.1:PORT, virtual hosts *.s3.localtest;
#                                            PORT+1 to PORT+3 are used for its back ends
#   tests/servers/swift.sh stop DIR          stops it; DIR stays for its logs
#
# Credentials: access key test:tester, secret testing, region us-east-1; test:stranger, stranger-secret may read nothing.

set -euo pipefail
# shellcheck source=tests/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    sed -n 's/^#   \(tests.*\)/\1/p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

stop() {
    local server
    for server in proxy object container account; do
        stop_by_pid_file "$dir/$server.pid" "swift-$server-server"
    done
}

write_config() {
    local user server n=0
    user=$(id -un)
    cat >"$dir/etc/swift.conf" <<EOF
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = p0
default = yes
[swift-constraints]
max_header_size = 16384
EOF
    for server in account container object; do
        n=$((n + 1))
        (
            cd "$dir/etc"
            swift-ring-builder "$server.builder" create 4 1 0
            swift-ring-builder "$server.builder" add "r1z1-127.0.0.1:$((port + n))/d1" 1
            swift-ring-builder "$server.builder" rebalance
        )
        cat >"$dir/etc/$server-server.conf" <<EOF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $((port + n))
workers = 0
user = $user
swift_dir = $dir/etc
devices = $dir/dev
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
db_preallocation = off
log_level = ERROR
[pipeline:main]
pipeline = $server-server
[app:$server-server]
use = egg:swift#$server
EOF
    done
    cat >"$dir/etc/proxy-server.conf" <<EOF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = $user
swift_dir = $dir/etc
log_level = ERROR
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_limit = 1000000
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin .reseller_admin
user_test_stranger = stranger-secret
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = s3.localtest
allow_multipart_uploads = yes
s3_acl = false
EOF
    for filter in catch_errors gatekeeper healthcheck listing_formats bulk slo dlo symlink; do
        printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
    done >>"$dir/etc/proxy-server.conf"
    cat >>"$dir/etc/proxy-server.conf" <<EOF
[filter:cache]
use = egg:swift#memcache
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
EOF
}

healthy() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET /healthcheck HTTP/1.0\r\n\r\n' >&3
    grep -q '^OK' <&3
}

start() {
    need swift-ring-builder swift-proxy-server swift-account-server swift-container-server swift-object-server
    local server n
    for n in 0 1 2 3; do
        if answers $((port + n)); then fail "port $((port + n)) is taken"; fi
    done
    stop
    rm -rf "${dir:?}/etc" "${dir:?}/dev"
    mkdir -p "$dir/etc" "$dir/dev/d1"
    export SWIFT_DIR=$dir/etc
    write_config
    for server in account container object proxy; do
        setsid "swift-$server-server" "$dir/etc/$server-server.conf" >"$dir/$server.log" 2>&1 </dev/null &
        echo $! >"$dir/$server.pid"
    done
    for n in 1 2 3 0; do wait_until 60 "port $((port + n))" answers $((port + n)); done
    wait_until 60 'the proxy' healthy
}

(($# >= 2)) || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start)
    (($# == 3)) || usage
    port=$3
    # In a subshell that is no part of a condition, so that the first failure ends it; and with no
    # descriptor of the caller's open, since the daemons outlive this script.
    set +e
    (
        set -e
        start
    ) >"$dir/start.log" 2>&1 </dev/null
    status=$?
    set -e
    if ((status)); then
        stop
        tail -n 15 "$dir/start.log" >&2
        exit "$status"
    fi
    echo "Swift answers on http://127.0.0.1:$port"
    ;;
stop) stop ;;
*) usage ;;
esac
