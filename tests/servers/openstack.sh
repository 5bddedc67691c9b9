#!/usr/bin/env bash
# A real OpenStack for tests, on 127.0.0.1 alone: Keystone, Glance, Placement, Nova, Neutron and Magnum of Debian 12 (release Zed).
#
# usage: tests/servers/openstack.sh install|up|down|status|complaints
#
#   install     the packages, as root. None of their daemons is started.
#   up          starts everything, for any user who may read the packages: 3 minutes the first time, 1 minute from then on. Goes on
#               where an earlier `up` was interrupted. Ends when servers can be made.
#   down        stops it, and waits until it has. Its data stay.
#   status      processes and their memory
#   complaints  the last words of the services, and the last errors in their logs
#
# OPENSTACK_STATE (default: $TMPDIR/pipectl-openstack) holds all data, logs and clouds.yaml.
#
# Everything answers as in a cloud of its own, except for what would need machines: Nova's own fake driver makes servers, and two small
# drivers in openstack/ bind ports at once (in the place of agents on hosts) and make clusters (in the place of Heat and their nodes).
# Each service speaks HTTP through uwsgi without keep-alive, and says so: clients see broken connections otherwise.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Debian's own python, which has the services; another one may come first.
export PATH=/usr/bin:/bin:/usr/sbin:/sbin
D=${OPENSTACK_STATE:-${TMPDIR:-/tmp}/pipectl-openstack}
P_KS=5000 P_GL=9292 P_PL=8778 P_NO=8774 P_NE=9696 P_MG=9511 P_RB=5672
PW=not-a-secret REGION=test
PKGS="mariadb-server rabbitmq-server uwsgi-core uwsgi-plugin-python3 python3-pymysql
 python3-keystone python3-glance python3-placement python3-nova python3-neutron python3-magnum
 nova-common neutron-common glance-common magnum-common python3-openstackclient python3-magnumclient"

install() {
  export DEBIAN_FRONTEND=noninteractive
  # Packages ask here whether they may start their daemons, which would listen on all addresses.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -q
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=900 -o Dpkg::Options::=--force-unsafe-io $PKGS
}

say() { echo "[$(date +%T)] $*"; }
bg() { # bg NAME cmd...
  local n=$1; shift; setsid nohup "$@" >"$D/log/$n.out" 2>&1 </dev/null & echo $! >"$D/pid/$n"; }
waitport() { for _ in $(seq 1 ${2:-300}); do (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null && return 0; sleep .2; done; echo "port $1 never opened" >&2; return 1; }

authsec() { cat <<E
auth_url = http://127.0.0.1:$P_KS/v3
auth_type = password
username = $1
password = $PW
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = $REGION
E
}

conf_common() { # $1 = service user, $2 = db
cat <<E
[DEFAULT]
transport_url = rabbit://guest:guest@127.0.0.1:$P_RB/
debug = false
use_stderr = false
log_file = $D/log/$2.log
state_path = $D/state/$2
my_ip = 127.0.0.1
host = test
[database]
connection = mysql+pymysql://root@localhost/$2?unix_socket=$D/my.sock&charset=utf8
max_pool_size = 5
max_overflow = 20
[oslo_concurrency]
lock_path = $D/state/$2
[oslo_messaging_rabbit]
heartbeat_timeout_threshold = 0
[oslo_policy]
enforce_scope = false
enforce_new_defaults = false
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:$P_KS/v3
$(authsec $1)
service_token_roles_required = true
service_token_roles = service
E
}

configs() {
  mkdir -p $D/{etc/{keystone,glance,placement,nova,neutron,magnum},log,pid,py,images,state/{nova,neutron,magnum,glance,keystone,placement}}
  chmod 700 $D
  local E=$D/etc
  # --- keystone
  { conf_common keystone keystone | sed '/^\[keystone_authtoken\]/,$d'; cat <<X
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = $D/etc/keystone/fernet
[credential]
key_repository = $D/etc/keystone/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
[oslo_middleware]
enable_proxy_headers_parsing = true
X
  } >$E/keystone/keystone.conf
  # --- glance
  { conf_common glance glance | sed "s/^host = test/host = test\nbind_host = 127.0.0.1\nbind_port = $P_GL\nworkers = 0\nenabled_import_methods = []/"; cat <<X
[paste_deploy]
config_file = $E/glance/glance-api-paste.ini
flavor = keystone
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = $D/images
X
  } >$E/glance/glance-api.conf
  # --- placement
  { conf_common placement placement | sed 's/^\[database\]/[placement_database]/'; printf '[api]\nauth_strategy = keystone\n'; } >$E/placement/placement.conf
  # --- nova
  { conf_common nova nova; cat <<X
[api_database]
connection = mysql+pymysql://root@localhost/nova_api?unix_socket=$D/my.sock&charset=utf8
max_pool_size = 5
[api]
auth_strategy = keystone
[glance]
api_servers = http://127.0.0.1:$P_GL
[placement]
$(authsec placement)
[neutron]
$(authsec neutron)
service_metadata_proxy = false
[service_user]
send_service_user_token = true
$(authsec nova)
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 10
[cinder]
auth_type = none
[vnc]
enabled = false
[spice]
enabled = false
X
  } | sed "s/^host = test/host = test\ncompute_driver = fake.FakeDriver\nallow_resize_to_same_host = true\nlog_dir = $(echo $D/log | sed 's,/,\\/,g')\ncpu_allocation_ratio = 4\nosapi_compute_workers = 1/; /^log_file/d" >$E/nova/nova.conf
  # --- neutron
  { conf_common neutron neutron; cat <<X
[nova]
$(authsec nova)
[placement]
$(authsec placement)
[ml2]
type_drivers = local,flat,vlan,vxlan
tenant_network_types = vxlan
mechanism_drivers = pipectl
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vxlan]
vni_ranges = 1:1000
[experimental]
X
  } | sed "s/^host = test/host = test\ncore_plugin = ml2\nservice_plugins = router\nauth_strategy = keystone\nbind_host = 127.0.0.1\nbind_port = $P_NE\napi_workers = 0\nrpc_workers = 1\nrpc_state_report_workers = 0\ndhcp_agent_notification = false\nnotify_nova_on_port_status_changes = true\nnotify_nova_on_port_data_changes = true\napi_paste_config = $(echo $E/neutron/api-paste.ini | sed 's,/,\\/,g')/" >$E/neutron/neutron.conf
  # --- magnum
  { conf_common magnum magnum; cat <<X
[api]
host = 127.0.0.1
port = $P_MG
workers = 1
api_paste_config = $E/magnum/api-paste.ini
[keystone_auth]
$(authsec magnum)
[trust]
trustee_domain_name = magnum
trustee_domain_admin_name = magnum_domain_admin
trustee_domain_admin_password = $PW
trustee_keystone_interface = public
cluster_user_trust = true
[certificates]
cert_manager_type = x509keypair
[conductor]
workers = 1
[drivers]
disabled_drivers = k8s_fedora_atomic_v1,k8s_fedora_coreos_v1,k8s_fedora_ironic_v1,k8s_coreos_v1,mesos_ubuntu_v1,swarm_fedora_atomic_v1,swarm_fedora_atomic_v2
[cluster_template]
kubernetes_allowed_network_drivers = all
[cinder_client]
region_name = $REGION
[nova_client]
region_name = $REGION
[glance_client]
region_name = $REGION
[neutron_client]
region_name = $REGION
X
  } >$E/magnum/magnum.conf
  # paste files come with the packages
  find_paste() { for f in /etc/$1/$2 /usr/share/$1-common/$2 /usr/share/$1/$2 /usr/etc/$1/$2; do [ -e $f ] && { cp $f $E/$1/$2; return; }; done; echo "no $2 for $1" >&2; return 1; }
  find_paste nova api-paste.ini; find_paste neutron api-paste.ini; find_paste magnum api-paste.ini
  find_paste glance glance-api-paste.ini

  # the two drivers, which the services find by their entry points
  mkdir -p $D/py/pipectl_test-1.0.dist-info
  printf 'Metadata-Version: 2.1\nName: pipectl-test\nVersion: 1.0\n' >$D/py/pipectl_test-1.0.dist-info/METADATA
  printf '[neutron.ml2.mechanism_drivers]\npipectl = ml2_driver:Driver\n[magnum.drivers]\nk8s_test_v1 = magnum_driver:Driver\n' >$D/py/pipectl_test-1.0.dist-info/entry_points.txt
  cp "$here"/openstack/{ml2_driver,magnum_driver,seed}.py $D/py/
  cat >$D/clouds.yaml <<X
clouds:
  admin: {auth: {auth_url: "http://127.0.0.1:$P_KS/v3", username: admin, password: "$PW", project_name: admin, user_domain_name: Default, project_domain_name: Default}, region_name: $REGION, identity_api_version: 3}
  pipectl: {auth: {auth_url: "http://127.0.0.1:$P_KS/v3", username: pipectl, password: "$PW", project_name: pipectl-test, user_domain_name: Default, project_domain_name: Default}, region_name: $REGION, identity_api_version: 3}
X
}

uw() { # uw NAME PORT MODULE PROCS
  bg $1 uwsgi_python3 --http-socket 127.0.0.1:$2 --module "$3" --master --need-app --lazy-apps --processes ${4:-1} --threads ${5:-1} --enable-threads \
    --buffer-size 65535 --die-on-term --listen 100 --add-header "Connection: close" --disable-logging --log-master; }

py() { python3 -c "import sys; sys.argv[0]='$1'; from $2 import main; sys.exit(main())" "${@:3}" 2> >(grep -vE "^Exception ignored in: <function _removeHandlerRef|^Traceback|logging/__init__.py|threading.py|green/thread.py|has no attribute 'getcurrent'" >&2); }
bgpy() { local n=$1 m=$2; shift 2; bg $n python3 -c "import sys; sys.argv[0]='$n'; from $m import main; sys.exit(main())" "$@"; }

up() {
  export OSPW=$PW REGION P_KS P_GL P_PL P_NO P_NE P_MG PYTHONPATH=$D/py PYTHONWARNINGS=ignore
  export OS_KEYSTONE_CONFIG_DIR=$D/etc/keystone OS_PLACEMENT_CONFIG_DIR=$D/etc/placement OS_NOVA_CONFIG_DIR=$D/etc/nova OS_GLANCE_CONFIG_DIR=$D/etc/glance
  configs; local E=$D/etc fresh=0
  say "mariadb + rabbitmq"
  [ -e $D/.ready ] || fresh=1
  if [ ! -d $D/mysql ]; then mariadb-install-db --no-defaults --datadir=$D/mysql --auth-root-authentication-method=normal --skip-test-db --user=$(id -un) >$D/log/mysql_install.out 2>&1; fi
  bg mariadb /usr/sbin/mariadbd --no-defaults --user=$(id -un) --datadir=$D/mysql --socket=$D/my.sock --pid-file=$D/my.pid --skip-networking --skip-grant-tables \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --skip-log-bin --max-connections=400 --innodb-buffer-pool-size=96M --performance-schema=off --character-set-server=utf8mb3
  mkdir -p $D/rabbit
  printf 'listeners.tcp.1 = 127.0.0.1:%s\nvm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 50MB\nlog.console.level = error\n' $P_RB >$D/rabbit/rabbitmq.conf
  ( export HOME=$D/rabbit ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=${P_EPMD:-4370} RABBITMQ_DIST_PORT=${P_DIST:-25673} RABBITMQ_NODENAME=pipectl@localhost RABBITMQ_MNESIA_BASE=$D/rabbit/db RABBITMQ_LOG_BASE=$D/log \
     RABBITMQ_CONFIG_FILE=$D/rabbit/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$D/rabbit/plugins RABBITMQ_PID_FILE=$D/rabbit/pid RABBITMQ_ADVANCED_CONFIG_FILE=$D/rabbit/none \
     RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
    bg rabbitmq /usr/lib/rabbitmq/bin/rabbitmq-server )
  for _ in $(seq 1 150); do mariadb-admin --no-defaults --socket=$D/my.sock ping >/dev/null 2>&1 && break; sleep .2; done
  for db in keystone glance placement nova nova_api nova_cell0 neutron magnum; do echo "CREATE DATABASE IF NOT EXISTS $db CHARACTER SET utf8mb3;"; done | mariadb --no-defaults --socket=$D/my.sock
  if [ $fresh = 1 ]; then
    say "keystone schema"
    mkdir -p -m 700 $E/keystone/fernet $E/keystone/credential
    K="py keystone-manage keystone.cmd.manage --config-file $E/keystone/keystone.conf"
    $K db_sync; $K fernet_setup --keystone-user $(id -un) --keystone-group $(id -gn); $K credential_setup --keystone-user $(id -un) --keystone-group $(id -gn)
    $K bootstrap --bootstrap-password "$PW" --bootstrap-region-id $REGION --bootstrap-public-url http://127.0.0.1:$P_KS/v3 --bootstrap-internal-url http://127.0.0.1:$P_KS/v3 --bootstrap-admin-url http://127.0.0.1:$P_KS/v3
  fi
  uw keystone $P_KS "keystone.server.wsgi:initialize_public_application()" 2
  if [ $fresh = 1 ]; then
    say "other schemas"
    ( py glance-manage glance.cmd.manage --config-file $E/glance/glance-api.conf db_sync
      py placement-manage placement.cmd.manage --config-file $E/placement/placement.conf db sync
      py magnum-db-manage magnum.cmd.db_manage --config-file $E/magnum/magnum.conf upgrade
      py neutron-db-manage neutron.db.migration.cli --config-file $E/neutron/neutron.conf upgrade heads ) >$D/log/dbsync1.out 2>&1 &
    local j=$!
    ( N="py nova-manage nova.cmd.manage --config-file $E/nova/nova.conf"
      $N api_db sync; $N cell_v2 map_cell0 --database_connection "mysql+pymysql://root@localhost/nova_cell0?unix_socket=$D/my.sock&charset=utf8"
      $N db sync; $N cell_v2 create_cell --name cell1 || true ) >$D/log/dbsync2.out 2>&1
    wait $j
    say "identity seed"; waitport $P_KS; python3 $D/py/seed.py identity
  fi
  say "services"; waitport $P_RB 600
  uw placement $P_PL "placement.wsgi:init_application()" 1
  bgpy glance glance.cmd.api --config-file $E/glance/glance-api.conf
  uw nova-api $P_NO "nova.api.openstack.compute.wsgi:init_application()" 1
  bgpy neutron neutron.cmd.eventlet.server --config-file $E/neutron/neutron.conf
  bgpy nova-conductor nova.cmd.conductor --config-file $E/nova/nova.conf
  bgpy nova-scheduler nova.cmd.scheduler --config-file $E/nova/nova.conf
  waitport $P_PL; bgpy nova-compute nova.cmd.compute --config-file $E/nova/nova.conf
  bgpy magnum-api magnum.cmd.api --config-file $E/magnum/magnum.conf
  bgpy magnum-conductor magnum.cmd.conductor --config-file $E/magnum/magnum.conf
  for p in $P_GL $P_NO $P_NE $P_MG; do waitport $p 600; done
  if [ $fresh = 1 ]; then python3 $D/py/seed.py resources; fi
  say "waiting for the compute host in the cell"
  for _ in $(seq 1 60); do
    py nova-manage nova.cmd.manage --config-file $E/nova/nova.conf cell_v2 discover_hosts >/dev/null 2>&1 || true
    [ "$(mariadb --no-defaults --socket=$D/my.sock -N -e 'select count(*) from nova_api.host_mappings')" != 0 ] && break; sleep 1; done
  touch $D/.ready
  say "up: OS_CLIENT_CONFIG_FILE=$D/clouds.yaml OS_CLOUD=pipectl"
}
down() {
  local n p
  for n in magnum-conductor magnum-api nova-compute nova-scheduler nova-conductor neutron nova-api glance placement keystone rabbitmq mariadb; do
    [ -s $D/pid/$n ] || continue
    p=$(cat $D/pid/$n); rm -f $D/pid/$n
    kill -TERM -- -$p 2>/dev/null || continue
    for _ in $(seq 1 50); do kill -0 -- -$p 2>/dev/null || continue 2; sleep .2; done
    kill -KILL -- -$p 2>/dev/null || true
  done; }
status() { for f in $D/pid/*; do p=$(cat $f); printf '%-18s pid %-7s rss %s kB\n' $(basename $f) $p "$(ps -o rss= -g $p 2>/dev/null | awk '{s+=$1}END{print s+0}')"; done; }
complaints() { tail -n 3 $D/log/*.out; grep -hE ' (ERROR|CRITICAL) ' $D/log/*.log | tail -n 40 || true; }
case ${1:-} in install | up | down | status | complaints) "$1";; *) echo "usage: $0 install|up|down|status|complaints" >&2; exit 2;; esac
