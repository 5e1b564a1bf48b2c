/**
 * Why the embedded store could not be started: a stable code and one sentence.
 * Imports nothing.
 */
export type StoreErrorCode = 'store_in_use' | 'store_unsupported' | 'store_no_user' | 'store_port_in_use' | 'store_failed' | 'store_broken';

export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
