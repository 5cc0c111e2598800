import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

export const MONITOR_PORT = 3300;
export const GATEWAY_PORT = 7480;

/** ceph.conf of a cluster of one monitor and one object daemon in memory: small, quick, no safety. */
export function cephConfiguration(cluster: {
  readonly directory: string;
  readonly fsid: string;
  readonly host: string;
  /** `/`, or where Ceph's packages are unpacked. */
  readonly root: string;
}): string {
  const { directory, fsid, host, root } = cluster;
  const architecture = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch;
  const libraries = join(root, 'usr/lib', `${architecture}-linux-gnu`);
  return `[global]
fsid = ${fsid}
mon host = v2:${host}:${MONITOR_PORT}/0
public addr = ${host}
cluster addr = ${host}
ms bind msgr1 = false
keyring = ${join(directory, 'keyring')}
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
plugin dir = ${join(libraries, 'ceph')}
osd class dir = ${join(libraries, 'rados-classes')}
erasure code dir = ${join(libraries, 'ceph/erasure-code')}
run dir = ${directory}
crash dir = ${directory}
log file =
# each message is kept for a crash report otherwise: a fifth of the CPU time
debug ms = 0/0
debug auth = 0/0
debug objecter = 0/0
debug rados = 0/0
debug osd = 0/0
debug rgw = 0/0
pid file =
# a path of a socket must be short, and temporary directories are not
admin socket =
[mon]
mon data = ${join(directory, 'mon')}
paxos propose interval = 0.05
paxos min wait = 0.01
# however full the machine's disk is
mon osd full ratio = .99
mon osd nearfull ratio = .98
mon osd backfillfull ratio = .985
mon data avail warn = 1
mon data avail crit = 1
[osd]
osd data = ${join(directory, 'osd')}
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw]
rgw frontends = beast endpoint=${host}:${GATEWAY_PORT} tcp_nodelay=1
rgw data = ${join(directory, 'rgw')}
# by default the names of a bucket are in eleven objects, and each list asks them all
rgw override bucket index max shards = 1
rgw enable usage log = false
rgw enable ops log = false
`;
}

/** A keyring that lets every part of the cluster do everything. */
export function cephKeyring(): string {
  // CryptoKey::encode of Ceph: type 1 (AES), a time, the length of the secret, the secret
  const head = Buffer.alloc(12);
  head.writeUInt16LE(1, 0);
  head.writeUInt16LE(16, 10);
  const key = Buffer.concat([head, randomBytes(16)]).toString('base64');
  const caps = ['mon', 'osd', 'mgr'].map((service) => `caps ${service} = "allow *"`).join('\n');
  return ['mon.', 'client.admin', 'client.rgw', 'osd.0'].map((name) => `[${name}]\nkey = ${key}\n${caps}\n`).join('');
}
