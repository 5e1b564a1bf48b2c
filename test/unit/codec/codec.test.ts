/** One payload: what encrypting hides, what it binds, what is refused, and what still reads that was never encrypted. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import fc from 'fast-check';
import { createCipher, createCodec, tolerant } from '../../../activities/codec/codec';
import { CodecError, type CodecErrorCode } from '../../../activities/codec/errors';
import { newPayloadKeys, payloadKeysToJson, withAnotherKey, withCurrent } from '../../../activities/codec/keys';
import { approvalOf, approvalWorkflowId, deliveryWorkflowId } from '../../../workflows/protocol';
import { UNREADABLE, inClear, payloadConverter } from '../../../workflows/payload-converter';

const keys = newPayloadKeys();
const cipher = createCipher(keys);
const codec = createCodec(cipher);
const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const valueOf = (read: Payload | undefined): unknown => payloadConverter.fromPayload(read ?? {});
const of = (tenant: string): SerializationContext => ({ type: 'workflow', namespace: 'default', workflowId: approvalWorkflowId(tenant, 'ap_1') });
const inActivity = (tenant: string): SerializationContext => ({
  type: 'activity',
  namespace: 'default',
  workflowId: approvalWorkflowId(tenant, 'ap_1'),
  isLocal: true,
});
const text = (p: Payload | undefined, name: string): string => Buffer.from(p?.metadata?.[name] ?? []).toString();

/** Flips one bit of the data. */
function bent(p: Payload, at: number): Payload {
  const data = Buffer.from(p.data ?? []);
  data.writeUInt8(data.readUInt8(at) ^ 1, at);
  return { ...p, data };
}

const renamed = (p: Payload, name: string, value: string): Payload => ({ ...p, metadata: { ...p.metadata, [name]: Buffer.from(value) } });

function codeOf(work: () => unknown): CodecErrorCode | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof CodecError) return error.code;
    throw error;
  }
}

describe('an encrypted payload', () => {
  it('names its key and its tenant and nothing else, and reads as it was', async () => {
    const [sealed] = await codec.encode([payload({ why: 'Kim Doe asked' })], of('acme'));
    expect(text(sealed, 'encoding')).toBe('binary/encrypted');
    expect(text(sealed, 'encryption-key-id')).toBe(keys.current);
    expect(Object.keys(sealed?.metadata ?? {})).toEqual(['encoding', 'encryption-key-id', 'countersign-tenant']);
    expect(Buffer.from(sealed?.data ?? []).toString('latin1')).not.toMatch(/Kim|json/);
    expect((await codec.decode([sealed ?? {}], of('acme'))).map(valueOf)).toEqual([{ why: 'Kim Doe asked' }]);
  });

  it('comes back whatever it held', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, tenant) => {
        const opened = cipher.open(cipher.seal(payload(value), tenant));
        expect(opened?.tenant).toBe(Buffer.from(tenant).toString());
        expect(JSON.stringify(valueOf(opened?.payload))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('never has the nonce of another', () => {
    const nonces = Array.from({ length: 2_000 }, () => Buffer.from(cipher.seal(payload('same'), 'acme').data ?? []).toString('hex', 0, 12));
    expect(new Set(nonces).size).toBe(nonces.length);
  });

  it('is refused when any byte was changed, when it was cut off, and under another name of key or tenant', () => {
    const sealed = cipher.seal(payload('x'), 'acme');
    for (let at = 0; at < (sealed.data?.length ?? 0); at += 1) expect(codeOf(() => cipher.open(bent(sealed, at)))).toBe('payload_altered');
    for (const length of [0, 11, 27, (sealed.data?.length ?? 0) - 1])
      expect(codeOf(() => cipher.open({ ...sealed, data: sealed.data?.subarray(0, length) ?? null }))).toBe('payload_altered');
    expect(codeOf(() => cipher.open(renamed(sealed, 'countersign-tenant', 'umbrella')))).toBe('payload_altered');
    const { keys: both, added } = withAnotherKey(keys);
    expect(codeOf(() => createCipher(both).open(renamed(sealed, 'encryption-key-id', added)))).toBe('payload_altered');
  });

  it('is not read in the history of another tenant', async () => {
    const [sealed] = await codec.encode([payload('x')], of('acme'));
    await expect(codec.decode([sealed ?? {}], of('umbrella'))).rejects.toThrow('A payload of tenant acme lies in a history of tenant umbrella');
    // A reader that has no history in mind, such as a client that lists schedules, asks for no tenant.
    expect((await codec.decode([sealed ?? {}])).map(valueOf)).toEqual(['x']);
  });

  it('is AES-256-GCM as anyone would write it: another implementation reads it, and is read', () => {
    const { current, keys: secrets } = payloadKeysToJson(keys) as unknown as { readonly current: string; readonly keys: Readonly<Record<string, string>> };
    const key = Buffer.from(secrets[current] ?? '', 'base64url');
    const sealed = cipher.seal(payload('plain words'), 'acme');
    const data = Buffer.from(sealed.data ?? []);
    const aad = Buffer.from(`["countersign payload v1","${current}","acme"]`);
    const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, 12)).setAAD(aad).setAuthTag(data.subarray(-16));
    const inner = Buffer.concat([decipher.update(data.subarray(12, -16)), decipher.final()]);
    expect(inner.toString('latin1')).toContain('"plain words"');
    const other = createCipheriv('aes-256-gcm', key, Buffer.alloc(12, 7)).setAAD(aad);
    const made = Buffer.concat([Buffer.alloc(12, 7), other.update(inner), other.final(), other.getAuthTag()]);
    expect(valueOf(cipher.open({ ...sealed, data: made })?.payload)).toBe('plain words');
  });
});

describe('keys over time', () => {
  it('what was encrypted before a rotation still reads, and what is new names the new key', () => {
    const old = cipher.seal(payload('old'), 'acme');
    const { keys: both, added } = withAnotherKey(keys);
    const rotated = createCipher(withCurrent(both, added));
    expect(valueOf(rotated.open(old)?.payload)).toBe('old');
    const fresh = rotated.seal(payload('new'), 'acme');
    expect(text(fresh, 'encryption-key-id')).toBe(added);
    // A process that was told of the key before it was used reads it already.
    expect(valueOf(createCipher(both).open(fresh)?.payload)).toBe('new');
  });

  it('a key that was not given is named', () => {
    const stranger = newPayloadKeys();
    expect(() => cipher.open(createCipher(stranger).seal(payload('x'), 'acme'))).toThrow(
      `A payload is encrypted with the key "${stranger.current}", which the payload keys file does not hold; add that key to the file and start again`,
    );
  });

  it('what was written before encryption was switched on still reads, and so does what is encrypted after it was switched off', async () => {
    const before = payload({ since: 'before' });
    expect(await codec.decode([before], of('acme'))).toEqual([before]);
    const plain = createCodec(cipher, { plain: true });
    expect(await plain.encode([before], of('acme'))).toEqual([before]);
    expect((await plain.decode(await codec.encode([before], of('acme')), of('acme'))).map(valueOf)).toEqual([{ since: 'before' }]);
  });

  it('what is meant for others is not encrypted, and others read it', async () => {
    const open = payloadConverter.toPayload(inClear({ approvalId: 'ap_1', outcome: 'denied' }));
    const [written] = await codec.encode([open], of('acme'));
    expect(defaultPayloadConverter.fromPayload(written ?? {})).toEqual({ approvalId: 'ap_1', outcome: 'denied' });
  });
});

describe('a worker', () => {
  const told: unknown[] = [];
  const worker = tolerant(codec, (error) => told.push(error));
  const strange = createCipher(newPayloadKeys()).seal(payload('x'), 'acme');

  it('takes a message that nobody can read for one that says nothing, and says so in its log', async () => {
    const good = cipher.seal(payload('good'), 'acme');
    const read = await worker.decode([good, strange, bent(good, 20), cipher.seal(payload('y'), 'umbrella')], of('acme'));
    expect(read.map(valueOf)).toEqual(['good', UNREADABLE, UNREADABLE, UNREADABLE]);
    expect(told.map((error) => error instanceof CodecError && error.code)).toEqual(['unknown_payload_key', 'payload_altered', 'payload_of_another_tenant']);
  });

  it('does not go on without what its own activities were given or gave back', async () => {
    await expect(worker.decode([strange], inActivity('acme'))).rejects.toThrow('which the payload keys file does not hold');
  });
});

describe('whose a workflow is', () => {
  it('is read from its id, of approvals and deliveries alone', () => {
    expect(approvalOf(approvalWorkflowId('acme', 'ap_1'))).toEqual({ tenant: 'acme', approvalId: 'ap_1' });
    expect(approvalOf(approvalWorkflowId('acme/eu', 'ap_1'))).toEqual({ tenant: 'acme/eu', approvalId: 'ap_1' });
    expect(approvalOf(deliveryWorkflowId('acme/eu', 'ap_1', '4.0'))).toEqual({ tenant: 'acme/eu', approvalId: 'ap_1' });
    for (const id of ['reconcile/countersign', 'refund-7', 'approval/acme', '', 'x/approval/acme/ap_1']) expect(approvalOf(id)).toBeNull();
  });
});
