#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A real S3 server for the tests: Ceph's radosgw on a one-node cluster (one monitor, one OSD that
# keeps objects in memory), all on loopback, all files under DIR. Ready after about two seconds.
#
#   tests/servers/ceph.sh start DIR PORT     S3 on http://127.0.0.1:PORT, virtual hosts *.s3.localtest
#   tests/servers/ceph.sh stop DIR           stops it; DIR stays for its logs
#
# Environment: ACCESS_KEY, SECRET_KEY   the user's credentials
#   MON_PORT (PORT+1)                   the monitor's port
#   TLS_PEM, TLS_PORT (PORT+2)          certificate and key in one file, absolute: serves https too
#   STS=true                            real session tokens (other error codes than AWS's then)
#   ALSO_ON=ADDRESS                     answers on PORT of this address too
#   STORE=bluestore                     keeps objects in a file instead of memory

set -euo pipefail
# shellcheck source=tests/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    sed -n 's/^#   \(tests.*\)/\1/p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

stop() {
    stop_by_pid_file "$dir/radosgw.pid" radosgw
    stop_by_pid_file "$dir/osd.pid" ceph-osd
    stop_by_pid_file "$dir/mon.pid" ceph-mon
}

write_config() {
    local fsid=$1 tls='' also=''
    [[ -z ${ALSO_ON:-} ]] || also=" endpoint=$ALSO_ON:$port"
    [[ -z ${TLS_PEM:-} ]] || tls=" ssl_endpoint=127.0.0.1:${TLS_PORT:-$((port + 2))} ssl_certificate=$TLS_PEM"
    cat >"$dir/ceph.conf" <<EOF
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$mon_port/0
ms bind msgr1 = false
ms bind ipv4 = true
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = $dir/keyring
auth_allow_insecure_global_id_reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon warn on pool no redundancy = false
mon allow pool size one = true
mon max pg per osd = 1000
osd max pg per osd hard ratio = 100
mon data avail warn = 1
mon data avail crit = 1
run dir = $dir/run
crash dir = $dir/run
admin socket = $dir/run/\$name.asok
log file = $dir/\$name.log
pid file = $dir/\$type.pid
[mon]
mon data = $dir/mon
pid file = $dir/mon.pid
mon cluster log file = $dir/cluster.log
paxos propose interval = 0.02
paxos min wait = 0.01
mon tick interval = 1
[osd]
osd data = $dir/osd
pid file = $dir/osd.pid
osd objectstore = ${STORE:-memstore}
memstore device bytes = 4294967296
bluestore block size = 4294967296
osd memory target = 1G
osd class load list = *
osd class default list = *
osd max object size = 128M
[client.rgw]
pid file = $dir/radosgw.pid
rgw frontends = beast endpoint=127.0.0.1:$port$also$tls
rgw dns name = s3.localtest
rgw sts key = abcdefghijklmnop
rgw s3 auth use sts = ${STS:-false}
rgw enable usage log = false
rgw thread pool size = 64
rgw run sync thread = false
rgw enable quota threads = false
rgw enable gc threads = false
rgw enable lc threads = false
EOF
}

start() {
    need ceph ceph-mon ceph-osd radosgw radosgw-admin ceph-authtool monmaptool
    if answers "$port"; then fail "port $port is taken"; fi
    local fsid osd_uuid ceph name
    fsid=$(cat /proc/sys/kernel/random/uuid)
    osd_uuid=$(cat /proc/sys/kernel/random/uuid)
    stop
    rm -rf "$dir/mon" "$dir/osd" "$dir/run" "$dir/monmap" "$dir/keyring"
    mkdir -p "$dir/mon" "$dir/osd" "$dir/run"
    write_config "$fsid"
    cd / # Debian 13's Ceph looks for its plug-ins at a path relative to the working directory
    export CEPH_CONF=$dir/ceph.conf

    ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
    for name in client.admin client.rgw osd.0; do
        ceph-authtool "$dir/keyring" --gen-key -n "$name" --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    done
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap"
    ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
    ceph-mon -i a

    ceph=(ceph --connect-timeout 20)
    "${ceph[@]}" osd new "$osd_uuid"
    ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid"
    ceph-osd -i 0
    wait_until 30 'the OSD' bash -c 'ceph --connect-timeout 20 osd stat | grep -q "1 up"'

    timeout 60 radosgw-admin -n client.rgw user create --uid test --display-name test \
        --access-key "${ACCESS_KEY:-testkey}" --secret "${SECRET_KEY:-testsecretkey0123456789}" \
        --caps 'user-policy=*;roles=*'
    radosgw -n client.rgw
    wait_until 60 'radosgw' answers "$port"
}

(($# >= 2)) || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $1 in
start)
    (($# == 3)) || usage
    port=$3
    mon_port=${MON_PORT:-$((port + 1))}
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
    echo "Ceph answers on http://127.0.0.1:$port"
    ;;
stop) stop ;;
*) usage ;;
esac
