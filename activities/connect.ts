/**
 * How every process of ours reaches the engine: address, TLS, API key, and the converter that encrypts what it is told.
 * Promises: one place decides it; a file that cannot be read is one sentence, and nothing is sent in clear instead.
 * Must not import client or workers.
 */
import { readFileSync } from 'node:fs';
import type { DataConverter } from '@temporalio/common';
import { parseStrict } from '../record/canonical';
import { createCipher, createCodec, type Cipher } from './codec/codec';
import { CodecError } from './codec/errors';
import { payloadKeysFromJson } from './codec/keys';
import { ConfigError, systemCode, type Config, type EngineReach } from './config';

const PAYLOAD_KEYS = 'COUNTERSIGN_PAYLOAD_KEYS_FILE';

/** Fits `Connection.connect`, `Connection.lazy` and `NativeConnection.connect`. */
export interface EngineAccess {
  readonly address: string;
  readonly tls: boolean | EngineTls;
  readonly apiKey?: string;
}

interface EngineTls {
  readonly serverNameOverride?: string;
  readonly serverRootCACertificate?: Buffer;
  readonly clientCertPair?: { readonly crt: Buffer; readonly key: Buffer };
}

export function engineAccess(config: EngineReach): EngineAccess {
  const { temporalAddress: address, temporalApiKey: apiKey } = config;
  return { address, tls: config.temporalTls && tlsOf(config), ...(apiKey === null ? {} : { apiKey }) };
}

function tlsOf({ temporalTlsCaFile: ca, temporalTlsCertFile: crt, temporalTlsKeyFile: key, temporalTlsServerName: name }: EngineReach): true | EngineTls {
  if (ca === null && crt === null && name === null) return true;
  return {
    ...(name === null ? {} : { serverNameOverride: name }),
    ...(ca === null ? {} : { serverRootCACertificate: read('TEMPORAL_TLS_SERVER_CA_CERT_PATH', ca) }),
    ...(crt === null || key === null
      ? {}
      : { clientCertPair: { crt: read('TEMPORAL_TLS_CLIENT_CERT_PATH', crt), key: read('TEMPORAL_TLS_CLIENT_KEY_PATH', key) } }),
  };
}

function read(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ConfigError([`${setting} names ${path}, which cannot be read (${systemCode(cause)}): correct the path or its permissions`]);
  }
}

/** What clients and workers of ours give to Temporal; undefined: payloads lie in its histories in clear. */
export function dataConverterOf(config: Pick<Config, 'payloadKeysFile' | 'payloadsPlain'>): DataConverter | undefined {
  const cipher = cipherOf(config);
  return cipher === null ? undefined : { payloadCodecs: [createCodec(cipher, { plain: config.payloadsPlain })] };
}

/** What reads encrypted payloads; null where there is no keys file. */
export function cipherOf({ payloadKeysFile: path }: Pick<Config, 'payloadKeysFile'>): Cipher | null {
  if (path === null) return null;
  const text = read(PAYLOAD_KEYS, path).toString('utf8');
  try {
    return createCipher(payloadKeysFromJson(parseStrict(text)));
  } catch (cause) {
    const why = cause instanceof CodecError ? cause.message : 'it is not JSON; restore it from its backup';
    throw new ConfigError([`${PAYLOAD_KEYS} names ${path}, which cannot be used (${why})`]);
  }
}
