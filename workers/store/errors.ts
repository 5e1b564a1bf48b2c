/**
 * Why the embedded store could not be started: a stable code and one sentence.
 * Imports nothing.
 */
export type StoreErrorCode =
  | 'store_in_use'
  | 'store_unsupported'
  | 'store_no_user'
  | 'store_port_in_use'
  | 'store_failed'
  /** The data, or what opens it, is damaged or gone. */
  | 'store_broken'
  /** Made by another major version of PostgreSQL. */
  | 'store_other_version'
  /** The data belongs to a user who is not this one. */
  | 'store_not_ours'
  | 'store_disk_full';

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
