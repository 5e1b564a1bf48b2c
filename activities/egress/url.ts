/**
 * What a callback URL must look like, judged without the network: at submit, and again before each call.
 * Pure: imports nothing that resolves or connects.
 */
import { classify, literalOf } from './address';
import type { EgressCode, EgressRefusal } from './errors';

export interface UrlRules {
  /** Development: http, any port and loopback addresses, for hosts that say they are loopback. */
  readonly allowLoopback: boolean;
  /** {@link DEFAULT_PORTS} when left out. */
  readonly ports?: readonly number[];
}

const DEFAULT_PORTS: readonly number[] = [443, 8443];

export interface Target {
  readonly url: URL;
  /** Without brackets; lower case. */
  readonly hostname: string;
  /** The address the host spells out, or null for a name. */
  readonly literal: string | null;
  /** True only in development, for `localhost` and loopback literals: then every resolved address must be loopback. */
  readonly loopback: boolean;
}

/** Names that never mean a public host. */
const INSIDE = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|private|localdomain|home\.arpa|in-addr\.arpa|ip6\.arpa|invalid|onion)$/;
const HOSTNAME = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const refusal = (code: EgressCode, message: string): { readonly refusal: EgressRefusal } => ({ refusal: { code, message } });

/** The target a URL names, or why it is refused. */
export function parseTarget(raw: string, rules: UrlRules): { readonly target: Target } | { readonly refusal: EgressRefusal } {
  // WHATWG parsing forgives what another parser reads differently: whitespace, backslashes, missing slashes, non-ASCII. Refused instead.
  if (!/^[\x21-\x7e]{1,2000}$/.test(raw) || raw.includes('\\'))
    return refusal(
      'url_invalid',
      'The callback URL must be 1 to 2000 printable ASCII characters without spaces or backslashes; write an international name in punycode.',
    );
  const parts = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(raw);
  const url = parts && URL.canParse(raw) ? new URL(raw) : null;
  if (!parts || !url) return refusal('url_invalid', 'The callback URL cannot be read; write it as https://host/path.');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refusal('scheme_refused', 'The callback URL must begin with https://.');
  const authority = parts[2] ?? '';
  if (authority.includes('@')) return refusal('url_invalid', 'The callback URL must not hold a user name or password; the signature proves who calls.');
  if (url.hash !== '' || raw.includes('#')) return refusal('url_invalid', 'The callback URL must not hold a fragment; it is never sent.');
  const written = authority.replace(/:\d*$/, '').toLowerCase();
  const literal = literalOf(url.hostname);
  const hostname = literal ?? url.hostname;
  // 2130706433, 0x7f.1, 127.1 and %31 all become an ordinary address while they are read: whoever writes so, hides something.
  if (written !== url.hostname && !(literal !== null && literalOf(written) !== null && written.startsWith('['))) {
    return refusal('url_invalid', 'The callback host must be written plainly: a name, or an address in its ordinary form.');
  }
  const loopback = rules.allowLoopback && (literal === null ? hostname === 'localhost' : classify(literal) === 'loopback');
  const target: Target = { url, hostname, literal, loopback };
  if (loopback) return { target };
  if (url.protocol !== 'https:') return refusal('scheme_refused', 'The callback URL must begin with https://; http is only for loopback in development.');
  if (
    literal === null &&
    (!HOSTNAME.test(hostname) || !hostname.includes('.') || /^\d+$/.test(hostname.slice(hostname.lastIndexOf('.') + 1)) || INSIDE.test(hostname))
  ) {
    return refusal('host_refused', 'The callback host must be a public name with a domain, such as agents.example.com.');
  }
  const port = url.port === '' ? 443 : Number(url.port);
  const ports = rules.ports ?? DEFAULT_PORTS;
  if (!ports.includes(port)) return refusal('port_refused', `The callback port ${port} is not allowed; use ${ports.join(' or ')}.`);
  if (literal !== null && classify(literal) !== 'public')
    return refusal('address_refused', 'The callback address is private, loopback, link-local or reserved; register a public host.');
  return { target };
}

/** Whether a host is registered: `host` for any allowed port, `host:port` for that one. No patterns: one entry is one host. */
export function isRegistered({ url, hostname }: Target, registered: readonly string[]): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const bracketed = url.hostname.toLowerCase();
  return registered.map((entry) => entry.toLowerCase()).some((entry) => entry === hostname || entry === bracketed || entry === `${bracketed}:${port}`);
}

/** At submit: null when this agent may be called back there, else why not. */
export function checkUrl(raw: string, rules: UrlRules & { readonly registeredHosts: readonly string[] }): EgressRefusal | null {
  const parsed = parseTarget(raw, rules);
  if ('refusal' in parsed) return parsed.refusal;
  if (isRegistered(parsed.target, rules.registeredHosts)) return null;
  return {
    code: 'host_refused',
    message: `The callback host ${parsed.target.hostname} is not registered for this agent; ask an administrator to register it.`,
  };
}
