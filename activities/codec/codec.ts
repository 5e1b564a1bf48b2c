/**
 * Payloads of the engine, encrypted (AES-256-GCM) before they leave the process and decrypted when they come back.
 *
 * It promises: each payload has a nonce of its own; key and tenant are bound to it, so that neither can be renamed and no
 * payload reads in the history of another tenant; what was written before encryption was switched on still reads.
 * It does not cover what the engine keeps outside payloads: ids, names and types of workflows, activities and timers, and
 * search attributes.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { DECRYPTED, IN_CLEAR, approvalOf } from '../../workflows/protocol';
import { CodecError } from './errors';
import type { PayloadKeys } from './keys';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What Temporal's own samples call it, so that its tools recognise an encrypted payload. */
const ENCRYPTED = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const TENANT = 'countersign-tenant';

/** A payload that was decrypted, and whose it is: empty where it belongs to the installation and to no tenant. */
interface Opened {
  readonly payload: Payload;
  readonly tenant: string;
}

export interface Cipher {
  seal(payload: Payload, tenant: string): Payload;
  /** Null when it was not encrypted. Throws {@link CodecError}. */
  open(payload: Payload): Opened | null;
}

const text = (payload: Payload, name: string): string => Buffer.from(payload.metadata?.[name] ?? []).toString('utf8');

export function createCipher({ current, keys }: PayloadKeys): Cipher {
  const keyOf = (id: string) => {
    const key = keys.get(id);
    if (key) return key;
    throw new CodecError(
      'unknown_payload_key',
      `A payload is encrypted with the key ${JSON.stringify(id)}, which the payload keys file does not hold; add that key to the file and start again`,
    );
  };
  return {
    seal(payload, tenant) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, keyOf(current), nonce, { authTagLength: TAG_BYTES }).setAAD(bound(current, tenant));
      const parts = [nonce, cipher.update(temporal.api.common.v1.Payload.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
      return { metadata: { encoding: Buffer.from(ENCRYPTED), [KEY_ID]: Buffer.from(current), [TENANT]: Buffer.from(tenant) }, data: Buffer.concat(parts) };
    },
    open(payload) {
      if (text(payload, 'encoding') !== ENCRYPTED) return null;
      const [id, tenant] = [text(payload, KEY_ID), text(payload, TENANT)];
      const data = payload.data ?? new Uint8Array();
      const end = data.length - TAG_BYTES;
      const decipher = createDecipheriv(CIPHER, keyOf(id), nonceOf(data), { authTagLength: TAG_BYTES }).setAAD(bound(id, tenant));
      try {
        decipher.setAuthTag(data.subarray(end));
        const bytes = Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, end)), decipher.final()]);
        return { tenant, payload: temporal.api.common.v1.Payload.decode(bytes) };
      } catch (cause) {
        throw altered(cause);
      }
    },
  };
}

/** What is authenticated beside the text. JSON, so that no two pairs give the same bytes. */
const bound = (keyId: string, tenant: string): Buffer => Buffer.from(JSON.stringify(['countersign payload v1', keyId, tenant]));

function nonceOf(data: Uint8Array): Uint8Array {
  if (data.length < NONCE_BYTES + TAG_BYTES) throw altered();
  return data.subarray(0, NONCE_BYTES);
}

const altered = (cause?: unknown): CodecError =>
  new CodecError('payload_altered', 'A payload in the engine is not what was encrypted; it was changed after it was written, and it is not used', { cause });

/** Encrypts for the tenant whose workflow it is; decrypts what is in the clear as it is. `plain`: encrypts nothing any more. */
export function createCodec(cipher: Cipher, { plain = false }: { readonly plain?: boolean } = {}): PayloadCodec {
  const sealed = (payload: Payload, context?: SerializationContext): Payload =>
    payload.metadata?.[IN_CLEAR] ? payload : cipher.seal(payload, tenantIn(context));
  return {
    encode: (payloads, context) => settle(() => (plain ? payloads : payloads.map((payload) => sealed(payload, context)))),
    decode: (payloads, context) => settle(() => payloads.map((payload) => opened(cipher, payload, tenantIn(context)))),
  };
}

function opened(cipher: Cipher, payload: Payload, tenant: string): Payload {
  const open = cipher.open(payload);
  if (!open) return payload;
  if (open.tenant !== '' && tenant !== '' && open.tenant !== tenant)
    throw new CodecError(
      'payload_of_another_tenant',
      `A payload of tenant ${open.tenant} lies in a history of tenant ${tenant}; it was copied there, and it is not used`,
    );
  return { ...open.payload, metadata: { ...open.payload.metadata, [DECRYPTED]: new Uint8Array() } };
}

const tenantIn = (context: SerializationContext | undefined): string => approvalOf(context?.workflowId ?? '')?.tenant ?? '';

/** What throws becomes a rejection, as the SDK expects of a codec. */
const settle = <T>(work: () => T): Promise<T> => Promise.resolve().then(work);

/**
 * For workers. Anyone who may write to the engine can signal or start with a payload that nobody can read, and an error there would fail the
 * workflow's task again and again: such a payload stays as it is, and the payload converter makes it a marker that no handler takes.
 * What an activity of ours is given or gave back must read: the task fails, and is tried again until the key is there.
 */
export const tolerant = (codec: PayloadCodec, tell: (error: unknown) => void): PayloadCodec => ({
  encode: (payloads, context) => codec.encode(payloads, context),
  decode: (payloads, context) =>
    context?.type !== 'workflow'
      ? codec.decode(payloads, context)
      : Promise.all(
          payloads.map(async (payload) => {
            try {
              return (await codec.decode([payload], context))[0] ?? payload;
            } catch (error) {
              tell(error);
              return payload;
            }
          }),
        ),
});
