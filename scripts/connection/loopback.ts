/** What counts as this machine: the only place that a password or a key goes to without TLS. */
import { BlockList, isIP } from 'node:net';

const addresses = new BlockList();
addresses.addSubnet('127.0.0.0', 8);
addresses.addAddress('::1', 'ipv6');

/**
 * Whether a host is this machine: a name, an address with or without brackets, or the folder of a Unix socket. Names are not
 * looked up: what might be another machine counts as one.
 */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isSocketFolder(bare) || bare === 'localhost') return true;
  const version = isIP(bare);
  return version !== 0 && addresses.check(bare, version === 6 ? 'ipv6' : 'ipv4');
}

/** Whether a host is the folder of a Unix socket, as libpq knows it. */
export function isSocketFolder(host: string): boolean {
  return host.startsWith('/');
}
