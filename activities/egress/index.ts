/**
 * The only way out to an address that a tenant chose. Promises: every address is checked, literal or resolved, in the
 * connector itself, and the checked address is the one connected to; https only, no redirects, a list of ports, a bounded
 * time; the response's body is counted up to a cap and kept only for who asks for it. When anything is unclear, no connection is made.
 * Must not import the store, the workflow or client.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import { Agent, buildConnector, request } from 'undici';
import { classify } from './address';
import { EgressError, type EgressRefusal } from './errors';
import { checkUrl, isRegistered, parseTarget, type Target, type UrlRules } from './url';

export { EgressError } from './errors';

/** Every address of a name. Injected in tests. */
type Lookup = (hostname: string) => Promise<readonly string[]>;
/** Makes the connection to an address that was checked. Injected in tests. */
export type Connect = buildConnector.connector;

interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For everything together: resolving, connecting, the answer. */
  readonly timeoutMs: number;
  /** Hosts registered for the agent now; a host that was taken off since submit is not called. */
  readonly registeredHosts?: readonly string[];
  /** The answer is what is wanted: its body is read whole, or the call has failed. It comes from an address of the operator's. */
  readonly keepBody?: true;
}

interface GetOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

interface PostResult {
  readonly status: number;
  readonly latencyMs: number;
  /** How much of the body was read, at most the cap. The body itself is never shown. */
  readonly bodyBytes: number;
  /** The body; null unless it was to be kept, is within the cap and is UTF-8. */
  readonly text: string | null;
  /** As sent, at most 100 characters. */
  readonly retryAfter: string | null;
}

export interface Egress {
  post(url: string, options: PostOptions): Promise<PostResult>;
  /** The answer is what is wanted, as with `keepBody`. */
  get(url: string, options: GetOptions): Promise<PostResult>;
  /** At submit, without the network: null when allowed. */
  checkUrl(url: string, registeredHosts: readonly string[]): EgressRefusal | null;
  close(): Promise<void>;
}

export interface EgressOptions {
  /** Development only: http, any port and loopback addresses, for hosts that say they are loopback. */
  readonly allowLoopback: boolean;
  /** The operator's own list, over what agents have registered; anything when left out. */
  readonly allowedHosts?: readonly string[];
  readonly ports?: readonly number[];
  readonly lookup?: Lookup;
  readonly connect?: Connect;
  readonly bodyCap?: number;
}

const BODY_CAP = 64 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;

const systemLookup: Lookup = async (hostname) => (await dnsLookup(hostname, { all: true, verbatim: true })).map(({ address }) => address);

const refuse = (code: EgressRefusal['code'], message: string, cause?: unknown): EgressError =>
  new EgressError({ code, message }, cause === undefined ? {} : { cause });

export function createEgress(options: EgressOptions): Egress {
  const rules: UrlRules = { allowLoopback: options.allowLoopback, ...(options.ports ? { ports: options.ports } : {}) };
  const lookup = options.lookup ?? systemLookup;
  const connect = options.connect ?? buildConnector({ timeout: CONNECT_TIMEOUT_MS });
  const bodyCap = options.bodyCap ?? BODY_CAP;

  /** The addresses of a target, every one checked: one bad address refuses them all. */
  async function addressesOf(target: Target): Promise<readonly string[]> {
    const wanted = target.loopback ? 'loopback' : 'public';
    const addresses = target.literal === null ? await resolve(target.hostname) : [target.literal];
    if (addresses.some((address) => classify(address) !== wanted)) {
      throw refuse('address_refused', 'The callback host leads to a private, loopback, link-local or reserved address; it was not called.');
    }
    return addresses;
  }

  async function resolve(hostname: string): Promise<readonly string[]> {
    const addresses = await within(CONNECT_TIMEOUT_MS, lookup(hostname)).catch((cause: unknown) => {
      throw refuse('dns_failed', 'The callback host could not be resolved; it was not called.', cause);
    });
    if (addresses.length === 0) throw refuse('dns_failed', 'The callback host has no address; it was not called.');
    return addresses;
  }

  // The connector sees what undici is about to connect to, so nothing between the check and the socket can change it.
  const checkedConnect: Connect = (wanted, callback) => {
    const parsed = parseTarget(
      `${wanted.protocol}//${wanted.hostname.includes(':') ? `[${wanted.hostname}]` : wanted.hostname}${wanted.port ? `:${wanted.port}` : ''}/`,
      rules,
    );
    if ('refusal' in parsed) return callback(new EgressError(parsed.refusal), null);
    const { target } = parsed;
    addressesOf(target).then(
      ([address]) => {
        connect({ ...wanted, hostname: address ?? '', ...(target.literal === null ? { servername: target.hostname } : {}) }, callback);
      },
      (error: unknown) => callback(asEgressError(error), null),
    );
  };
  const agent = new Agent({ connect: checkedConnect, pipelining: 1, keepAliveTimeout: 4_000, keepAliveMaxTimeout: 10_000, maxHeaderSize: 16 * 1024 });

  return {
    checkUrl: (url, registeredHosts) => checkUrl(url, { ...rules, registeredHosts }) ?? operatorRefusal(url),
    close: () => agent.close(),
    post: (url, asked) => call('POST', url, asked),
    get: (url, asked) => call('GET', url, { ...asked, keepBody: true }),
  };

  async function call(method: 'GET' | 'POST', raw: string, asked: Omit<PostOptions, 'body'> & { readonly body?: string }): Promise<PostResult> {
    const { headers, body = null, timeoutMs, registeredHosts, keepBody } = asked;
    const parsed = parseTarget(raw, rules);
    const refused = 'refusal' in parsed ? parsed.refusal : registeredHosts ? checkUrl(raw, { ...rules, registeredHosts }) : null;
    const notAllowed = refused ?? operatorRefusal(raw);
    if (notAllowed || 'refusal' in parsed) throw new EgressError(notAllowed ?? { code: 'url_invalid', message: 'The callback URL cannot be read.' });
    const started = performance.now();
    const latency = (): number => Math.round(performance.now() - started);
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const response = await request(parsed.target.url, { method, headers, body, signal, dispatcher: agent });
      const status = response.statusCode;
      const kept: Buffer[] | null = keepBody ? [] : null;
      const bodyBytes = await count(response.body, bodyCap, kept);
      // What breaks off has not been answered: a late body is as late as none.
      if (kept && !response.body.readableEnded && bodyBytes < bodyCap) signal.throwIfAborted();
      if (status >= 300 && status < 400) {
        throw new EgressError(
          { code: 'redirect_refused', message: `The callback host answered ${status}: redirects are not followed; register the final address.` },
          { status, latencyMs: latency() },
        );
      }
      const retryAfter = response.headers['retry-after'];
      const text = kept && response.body.readableEnded ? utf8(Buffer.concat(kept)) : null;
      return { status, latencyMs: latency(), bodyBytes, text, retryAfter: typeof retryAfter === 'string' ? retryAfter.slice(0, 100) : null };
    } catch (error) {
      throw asEgressError(error, latency());
    }
  }

  function operatorRefusal(raw: string): EgressRefusal | null {
    if (!options.allowedHosts) return null;
    const parsed = parseTarget(raw, rules);
    if ('refusal' in parsed || isRegistered(parsed.target, options.allowedHosts)) return null;
    return { code: 'host_refused', message: `The callback host ${parsed.target.hostname} is not among the hosts that this installation allows.` };
  }
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Reads a body up to the cap and lets go of the rest. The status has been said: a body that breaks off or drips changes nothing but what is `kept`. */
async function count(body: AsyncIterable<Buffer> & { destroy(): unknown }, cap: number, kept: Buffer[] | null): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes >= cap) break;
      kept?.push(chunk);
    }
  } catch {
    // Deliberately ignored, as said above.
  } finally {
    body.destroy();
  }
  return Math.min(bytes, cap);
}

async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function asEgressError(cause: unknown, latencyMs = 0): EgressError {
  if (cause instanceof EgressError)
    return cause.latencyMs === 0 && latencyMs > 0
      ? new EgressError(cause, { cause: cause.cause, latencyMs, ...(cause.status === null ? {} : { status: cause.status }) })
      : cause;
  const error = (code: EgressRefusal['code'], message: string): EgressError => new EgressError({ code, message }, { cause, latencyMs });
  const { name, code } = labels(cause);
  if (name === 'TimeoutError' || name === 'AbortError' || /^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$|^ETIMEDOUT$/.test(code))
    return error('timeout', 'The callback host did not answer in time.');
  if (name === 'HTTPParserError' || /^HPE_|^UND_ERR_HEADERS_OVERFLOW$/.test(code))
    return error('response_invalid', 'The callback host answered with something that is not HTTP.');
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/.test(code))
    return error('tls_failed', "The callback host's certificate or TLS handshake was not accepted.");
  return error('connection_failed', 'The connection to the callback host failed.');
}

/** Name and code of whatever was thrown: errors of Node's core and of undici share no class worth asking for. */
function labels(cause: unknown): { readonly name: string; readonly code: string } {
  if (typeof cause !== 'object' || cause === null) return { name: '', code: '' };
  const name = 'name' in cause && typeof cause.name === 'string' ? cause.name : '';
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return { name, code };
}
