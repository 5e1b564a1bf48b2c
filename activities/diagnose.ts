/**
 * Why the engine cannot be reached, in a sentence that says what to set. The clients' own errors name a deadline and nothing else, so
 * this shakes hands once more and looks at what goes wrong.
 * Promises: no key and no certificate is repeated. Must not import client or workers.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { isGrpcServiceError } from '@temporalio/client';
import type { EngineAccess } from './connect';

/** How long the server may take for each step of the handshake, in milliseconds. */
const PATIENCE_MS = 2_000;
/** In TLS 1.3 a server refuses a client's certificate only after the handshake. */
const SECOND_THOUGHTS_MS = 500;

/** It shook hands and hung up: what it saw then is our certificate. */
const TURNED_AWAY = 'ALERT_AFTER_HANDSHAKE';

const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;
const NOT_FOUND = 5;

/** The code of a refusal by the server itself, wherever in the chain of causes it is. */
function refusalCode(error: unknown): number | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const code = isGrpcServiceError(at) || 'code' in at ? Number((at as { readonly code?: unknown }).code) : NaN;
    if ([UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND].includes(code)) return code;
  }
  return null;
}

/** Who we are was not accepted, or the namespace is not there; null when the error is of another kind. */
export function explainRefusal({ address, apiKey }: EngineAccess, namespace: string, error: unknown): string | null {
  switch (refusalCode(error)) {
    case UNAUTHENTICATED:
      return apiKey === undefined
        ? `The Temporal server at ${address} wants to know who calls: set TEMPORAL_API_KEY, or the client certificate of its namespace.`
        : `The Temporal server at ${address} does not accept the API key: set TEMPORAL_API_KEY to one that is valid and has not expired.`;
    case PERMISSION_DENIED:
      return `The Temporal server at ${address} does not let this account into namespace ${namespace}: give it access, or correct TEMPORAL_NAMESPACE or TEMPORAL_API_KEY.`;
    case NOT_FOUND:
      return `There is no namespace ${namespace} at ${address}: create it, or set TEMPORAL_NAMESPACE to one that is there.`;
    default:
      return null;
  }
}

/** What stands between us and the server. */
export async function explainUnreachable(access: EngineAccess): Promise<string> {
  const { address, tls } = access;
  const [host, port] = splitAddress(address);
  const nobody = `No Temporal server answers at ${address}: start one there, or set TEMPORAL_ADDRESS to where one runs.`;
  const tcp = await settled(connectTcp({ host, port }), 'connect', 0);
  if (tcp !== null) return nobody;
  if (tls === false) {
    const secure = await settled(connectTls({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false }), 'secureConnect', 0);
    return secure === null || /ALERT/.test(secure)
      ? `The Temporal server at ${address} speaks TLS alone: set TEMPORAL_TLS=true, and what else it asks for.`
      : nobody;
  }
  const { serverRootCACertificate: ca, clientCertPair: pair, serverNameOverride } = tls === true ? {} : tls;
  const servername = serverNameOverride ?? (/^[\d.]+$|:/.test(host) ? undefined : host);
  let problem: string | null;
  try {
    const socket = connectTls({
      host,
      port,
      ALPNProtocols: ['h2'],
      ...(servername === undefined ? {} : { servername }),
      ...(ca === undefined ? {} : { ca }),
      ...(pair === undefined ? {} : { cert: pair.crt, key: pair.key }),
    });
    problem = await settled(socket, 'secureConnect', SECOND_THOUGHTS_MS);
  } catch {
    // Thrown before anything is sent: what we brought cannot be read.
    return `The certificates for ${address} are not PEM, or key and certificate do not belong together: correct the files that TEMPORAL_TLS_SERVER_CA_CERT_PATH, TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH name.`;
  }
  return problem === null ? nobody : sentenceOf(problem, address, pair !== undefined);
}

function sentenceOf(code: string, address: string, certified: boolean): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `The certificate of the Temporal server at ${address} is for another name: set TEMPORAL_TLS_SERVER_NAME to the name that it holds.`;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `The certificate of the Temporal server at ${address} is not valid at this time: renew it there, or mend this machine's clock.`;
  if (/ALERT/.test(code))
    return certified
      ? `The Temporal server at ${address} does not accept our certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH to one of an authority that it trusts.`
      : `The Temporal server at ${address} asks for a client certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH.`;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|ECONNRESET|TIMEOUT/.test(code))
    return `The Temporal server at ${address} does not answer in TLS: correct TEMPORAL_ADDRESS, or leave out TEMPORAL_TLS, the API key and the certificates.`;
  return `The certificate of the Temporal server at ${address} is not signed by an authority that is trusted here (${code}): set TEMPORAL_TLS_SERVER_CA_CERT_PATH to its authority's.`;
}

/** Null when it came that far; else the code of what went wrong. */
function settled(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect', waitMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const end = (said: string | null): void => {
      socket.destroy();
      resolve(said);
    };
    socket.setTimeout(PATIENCE_MS, () => end('TIMEOUT'));
    let shaken = false;
    socket.once('error', (error: Error) => end(shaken ? TURNED_AWAY : 'code' in error ? String(error.code) : 'ERROR'));
    socket.once('end', () => end(shaken ? TURNED_AWAY : 'ECONNRESET'));
    socket.once(event, () => {
      shaken = true;
      if (waitMs === 0) end(null);
      else setTimeout(() => end(null), waitMs);
    });
  });
}

function splitAddress(address: string): [host: string, port: number] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at).replace(/^\[|\]$/g, ''), Number(address.slice(at + 1))];
}
