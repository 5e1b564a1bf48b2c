/**
 * How this worker reads payloads: as the SDK does, but what cannot be read becomes a marker instead of an error. Anyone who may
 * write to the engine can send a signal of broken bytes, and an error there would fail the workflow's task again and again.
 * Loaded by the workflow sandbox and by the worker; must not import anything else.
 */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

/** What stands for a payload that cannot be read: of no shape that any handler takes. */
export const UNREADABLE = Object.freeze({ unreadable: true });

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch {
      return UNREADABLE as T;
    }
  },
};
