/**
 * What every activity factory is handed. Nothing here is read from the environment.
 * Types only.
 */
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Clock } from '../domain/clock';
import type { Keys } from '../record/keys';
import type { Tables } from '../record/store/tables';

export interface Deps {
  readonly db: Kysely<Tables>;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly log: Logger;
  /** Where people reach the API and its pages; no trailing slash. */
  readonly publicUrl: string;
  /** A login that says what it is, and a clock that runs faster, exist only in development. */
  readonly development: boolean;
  /** Callbacks to loopback: only when the operator allows them for development. */
  readonly allowLoopback: boolean;
}
