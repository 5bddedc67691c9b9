"""Users, services, endpoints, roles, flavors, an image, networks: in one process, where the command line would need sixty."""
import os, openstack, sys
p = dict((k, os.environ[k]) for k in os.environ)
PW, R = p['OSPW'], p['REGION']
c = openstack.connect(auth_url='http://127.0.0.1:%s/v3' % p['P_KS'], username='admin', password=PW, project_name='admin',
                      user_domain_name='Default', project_domain_name='Default', region_name=R)
i = c.identity
def role(n): return i.find_role(n) or i.create_role(name=n)
def proj(n, d='default'): return i.find_project(n) or i.create_project(name=n, domain_id=d)
def user(n, d='default', pr=None):
    return i.find_user(n, domain_id=d) or i.create_user(name=n, password=PW, domain_id=d)
def svc(name, typ, url):
    s = [x for x in i.services() if x.type == typ]
    s = s[0] if s else i.create_service(name=name, type=typ)
    if not [e for e in i.endpoints(service_id=s.id)]:
        for itf in ('public', 'internal', 'admin'):
            i.create_endpoint(service_id=s.id, interface=itf, url=url, region_id=R)
if sys.argv[1] == 'identity':
    admin, service, member = role('admin'), role('service'), role('member')
    sp = proj('service')
    for n in ('glance', 'placement', 'nova', 'neutron', 'magnum'):
        u = user(n); i.assign_project_role_to_user(sp, u, admin); i.assign_project_role_to_user(sp, u, service)
    h = 'http://127.0.0.1:'
    svc('glance', 'image', h + p['P_GL']); svc('placement', 'placement', h + p['P_PL'])
    svc('nova', 'compute', h + p['P_NO'] + '/v2.1'); svc('neutron', 'network', h + p['P_NE'])
    svc('magnum', 'container-infra', h + p['P_MG'] + '/v1')
    for n in ('magnum',):
        d = i.find_domain(n) or i.create_domain(name=n)
        u = user(n + '_domain_admin', d.id); i.assign_domain_role_to_user(d, u, admin)
    pr = proj('pipectl-test'); u = user('pipectl')
    for r in ('member', 'reader'):
        i.assign_project_role_to_user(pr, u, role(r))
else:
    for n, v, m, d in (('m2.small', 1, 1875, 10), ('m2.medium', 2, 3750, 20), ('m2.large', 4, 7500, 40), ('g1.xlarge', 4, 16000, 56)):
        if not c.compute.find_flavor(n): c.compute.create_flavor(name=n, vcpus=v, ram=m, disk=d)
    if not c.image.find_image('fedora-coreos-test'):
        c.create_image('fedora-coreos-test', data=b'not a real disk' * 64, disk_format='raw', container_format='bare',
                       visibility='public', wait=True, os_distro='fedora-coreos')
    n = c.network
    if not n.find_network('shared'):
        x = n.create_network(name='shared', shared=True)
        n.create_subnet(network_id=x.id, name='shared', ip_version=4, cidr='188.184.0.0/20')
        x = n.create_network(name='external', is_router_external=True, provider_network_type='flat', provider_physical_network='ext')
        n.create_subnet(network_id=x.id, name='external', ip_version=4, cidr='203.0.113.0/24', enable_dhcp=False)
print('seeded', sys.argv[1])
