/**
 * What stands before a remote Temporal cluster: TLS with an authority of its own, client certificates if asked for, and a check of
 * the API key in each call's metadata. Speaks HTTP/2 to both sides, so that it sees what a real front door sees.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createSecureServer, type ClientHttp2Session, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate, TLSSocket } from 'node:tls';

/** Paths of files in PEM. */
interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly ca: string;
  readonly dir: string;
  /** A certificate for one name; `127.0.0.1` and other addresses as such. */
  issue(name: string): Identity;
  remove(): void;
}

/** An authority made for one test. */
export function makeAuthority(): Authority {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-tls-'));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const key = (name: string): string => {
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);
    return join(dir, `${name}.key`);
  };
  key('ca');
  openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=Test authority', '-days', '2', '-out', 'ca.crt');
  return {
    ca: join(dir, 'ca.crt'),
    dir,
    issue(name) {
      const file = name.replaceAll(/[^a-z0-9]/gi, '-');
      const keyFile = key(file);
      writeFileSync(join(dir, `${file}.ext`), `subjectAltName=${/^[\d.]+$/.test(name) ? 'IP' : 'DNS'}:${name}\n`);
      openssl('req', '-new', '-key', keyFile, '-subj', `/CN=${name}`, '-out', `${file}.csr`);
      openssl('x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-extfile', `${file}.ext`, '-out', `${file}.crt`);
      return { cert: join(dir, `${file}.crt`), key: keyFile };
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export interface TlsProxyOptions {
  /** The server behind it, host:port, without TLS. */
  readonly to: string;
  readonly identity: Identity;
  /** Clients must show a certificate of this authority. */
  readonly clientCa?: string;
  /** Calls must carry this key; others are answered UNAUTHENTICATED. */
  readonly apiKey?: string;
  /** Calls whose path ends so are answered PERMISSION_DENIED, as where they are not for customers. */
  readonly forbidden?: readonly string[];
}

export interface TlsProxy {
  readonly address: string;
  /** What the calls' `authorization` said, each value once. */
  readonly authorizations: ReadonlySet<string>;
  /** Names of the client certificates seen. */
  readonly clients: ReadonlySet<string>;
  stop(): Promise<void>;
}

const UNAUTHENTICATED = '16';
const PERMISSION_DENIED = '7';

export async function startTlsProxy({ to, identity, clientCa, apiKey, forbidden = [] }: TlsProxyOptions): Promise<TlsProxy> {
  const authorizations = new Set<string>();
  const clients = new Set<string>();
  const sessions = new Set<Http2Session>();
  const behind: ClientHttp2Session = connect(`http://${to}`);
  behind.on('error', () => undefined);
  const server = createSecureServer({
    cert: readFileSync(identity.cert),
    key: readFileSync(identity.key),
    ALPNProtocols: ['h2'],
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa), requestCert: true, rejectUnauthorized: true }),
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>;
    if (subject !== undefined) clients.add(String(subject.CN));
  });
  server.on('session', (session) => sessions.add(session));
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const { authorization } = headers;
    if (authorization !== undefined) authorizations.add(authorization);
    if (apiKey !== undefined && authorization !== `Bearer ${apiKey}`) return refuse(stream, UNAUTHENTICATED, 'the key is not known');
    if (forbidden.some((end) => headers[':path']?.endsWith(end))) return refuse(stream, PERMISSION_DENIED, 'this is not for customers');
    passOn(behind, stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    authorizations,
    clients,
    async stop() {
      for (const session of sessions) session.destroy();
      behind.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const refuse = (stream: ServerHttp2Stream, status: string, message: string): void =>
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': message }, { endStream: true });

function passOn(behind: ClientHttp2Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const { authorization: _key, ...rest } = headers;
  const call = behind.request(rest);
  let trailers: IncomingHttpHeaders = {};
  call.on('error', () => stream.close());
  call.on('trailers', (given: IncomingHttpHeaders) => (trailers = given));
  call.on('response', (answer, flags) => {
    const { 'transfer-encoding': _encoding, ...kept } = answer;
    const END_STREAM = 1;
    if ((flags & END_STREAM) !== 0) return stream.respond(kept, { endStream: true });
    stream.respond(kept, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    call.pipe(stream);
  });
  stream.pipe(call);
  stream.on('close', () => call.close());
}
