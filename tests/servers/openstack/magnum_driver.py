"""In the place of Heat and of nodes that signal back: every node group comes up after `test_delay` seconds (a label of the
cluster, default 2). The label `test_fail` = create, update or delete makes that operation end *_FAILED."""
import time
from oslo_utils import uuidutils
from magnum.drivers.common import driver
from magnum.objects import fields

S = fields.ClusterStatus
_due = {}


class Driver(driver.Driver):
    @property
    def provides(self):
        return [{'server_type': 'vm', 'os': o, 'coe': 'kubernetes'} for o in ('fedora-coreos', 'fedora-atomic', 'ubuntu')]

    def _start(self, cluster, op, groups):
        lab = cluster.labels or {}
        _due[cluster.uuid] = (time.time() + float(lab.get('test_delay', 2)), op, lab.get('test_fail') == op.lower())
        for ng in groups:
            ng.stack_id = ng.stack_id or uuidutils.generate_uuid()
            ng.status = op + '_IN_PROGRESS'
            ng.save()
        cluster.stack_id = cluster.stack_id or uuidutils.generate_uuid()
        cluster.status = op + '_IN_PROGRESS'
        cluster.save()

    def create_cluster(self, context, cluster, cluster_create_timeout):
        self._start(cluster, 'CREATE', cluster.nodegroups)

    def update_cluster(self, context, cluster, scale_manager=None, rollback=False):
        self._start(cluster, 'UPDATE', cluster.nodegroups)

    def resize_cluster(self, context, cluster, resize_manager, node_count, nodes_to_remove, nodegroup=None):
        self._start(cluster, 'UPDATE', [nodegroup] if nodegroup else [])

    def upgrade_cluster(self, context, cluster, cluster_template, max_batch_size, nodegroup, scale_manager=None, rollback=False):
        self._start(cluster, 'UPDATE', [nodegroup])

    def delete_cluster(self, context, cluster):
        self._start(cluster, 'DELETE', cluster.nodegroups)

    def pre_delete_cluster(self, context, cluster):
        pass

    def create_nodegroup(self, context, cluster, nodegroup):
        self._start(cluster, 'CREATE', [nodegroup])
        _due[cluster.uuid] = (_due[cluster.uuid][0], 'UPDATE', _due[cluster.uuid][2])
        cluster.status = S.UPDATE_IN_PROGRESS
        cluster.save()

    def update_nodegroup(self, context, cluster, nodegroup):
        self._start(cluster, 'UPDATE', [nodegroup])

    def delete_nodegroup(self, context, cluster, nodegroup):
        nodegroup.status = 'DELETE_IN_PROGRESS'
        nodegroup.save()
        _due[cluster.uuid] = (time.time() + 2, 'UPDATE', False)
        cluster.status = S.UPDATE_IN_PROGRESS
        cluster.save()

    def create_federation(self, context, federation):
        raise NotImplementedError

    update_federation = delete_federation = create_federation

    def get_scale_manager(self, context, osclient, cluster):
        return None

    def update_cluster_status(self, context, cluster):
        # Magnum writes a cluster down before it asks for it: what was not begun with here has time until it is.
        begun = _due.setdefault(cluster.uuid, (time.time() + 60, cluster.status.split('_')[0], False))
        due, op, fail = begun
        if time.time() < due:
            return
        end = '_FAILED' if fail else '_COMPLETE'
        for i, ng in enumerate(cluster.nodegroups):
            if not ng.status or not ng.status.endswith('_IN_PROGRESS'):
                continue
            ng_op = ng.status.split('_')[0]
            if ng_op == 'DELETE' and not fail:
                ng.destroy() if op != 'DELETE' else setattr(ng, 'status', 'DELETE_COMPLETE')
                if op != 'DELETE':
                    continue
            ng.status = ng_op + end
            ng.node_addresses = ['10.%d.0.%d' % (i, n + 10) for n in range(ng.node_count or 0)]
            if fail:
                ng.status_reason = 'test_fail label'
            ng.save()
        cluster.status = op + end
        cluster.status_reason = 'test_fail label' if fail else None
        if op != 'DELETE':
            cluster.api_address = 'https://127.0.0.1:6443'
            cluster.coe_version = (cluster.labels or {}).get('kube_tag', 'v1.25.3')
        cluster.save()
