/**
 * Which IP addresses a callback may reach: globally routed unicast, and nothing that leads back inside.
 * Pure: the address is an argument; nothing is resolved here.
 */
import ipaddr from 'ipaddr.js';

/** Routed like any public address, but the host's own agent answers there. */
const METADATA = new Set(['168.63.129.16']);

export type AddressClass = 'public' | 'loopback' | 'forbidden';

/** What an address leads to. Anything that is not plainly an address is forbidden. */
export function classify(address: string): AddressClass {
  // A zone (`fe80::1%eth0`) names an interface of this machine.
  if (address.includes('%') || !ipaddr.isValid(address)) return 'forbidden';
  const parsed = ipaddr.parse(address);
  const range = parsed.range();
  if (range === 'loopback') return 'loopback';
  if (range !== 'unicast' || METADATA.has(parsed.toString())) return 'forbidden';
  // ipaddr.js calls every unlisted IPv6 address unicast; only 2000::/3 is routed. NAT64 and 6to4 forms are other ranges already.
  if (parsed.kind() === 'ipv6' && !parsed.match(ipaddr.parseCIDR('2000::/3'))) return 'forbidden';
  return 'public';
}

/** The address a URL's host spells out (`[::1]`, `127.0.0.1`), or null when it is a name. */
export function literalOf(hostname: string): string | null {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  return ipaddr.isValid(bare) ? bare : null;
}
