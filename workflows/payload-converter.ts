/**
 * How this worker reads payloads: as the SDK does, but what cannot be read becomes a marker instead of an error. Anyone who may
 * write to the engine can send a signal of broken bytes, and an error there would fail the workflow's task again and again.
 * Loaded by the workflow sandbox and by the worker; must not import anything but the protocol.
 */
import { RawValue, defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
import { DECRYPTED, IN_CLEAR } from './protocol';

/** What stands for a payload that cannot be read: of no shape that any handler takes. */
export const UNREADABLE = Object.freeze({ unreadable: true });

export const isUnreadable = (value: unknown): boolean => typeof value === 'object' && value !== null && 'unreadable' in value;

let secrets = false;
/** Whether anything that was encrypted has been read here, or could be read from elsewhere. */
export const holdsSecrets = (): boolean => secrets;
/** Called by a worker that encrypts: what its activities read in the store is as secret as what comes encrypted. */
export const holdSecrets = (): void => void (secrets = true);

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload<T>(payload: Payload): T {
    secrets ||= payload.metadata?.[DECRYPTED] !== undefined;
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch {
      return UNREADABLE as T;
    }
  },
};

/** A value for others than Countersign: written so that the codec leaves it alone. */
export function inClear<T>(value: T): RawValue<T> {
  const { metadata, data } = defaultPayloadConverter.toPayload(value);
  return RawValue.fromPayload({ metadata: { ...metadata, [IN_CLEAR]: new Uint8Array() }, ...(data ? { data } : {}) });
}
