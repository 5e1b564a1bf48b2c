/**
 * What the API is built from. Everything is handed in: the same server runs in the process, in tests and in the demo.
 * Types only.
 */
import type { Deps } from '../../activities/deps';
import type { Cipher } from '../../activities/codec/codec';
import type { Commit } from '../../activities/commit';
import type { IntakeInput, IntakePaused } from '../../activities/intake';
import type { Submit } from '../../activities/submit';
import type { Directory } from '../../domain/directory';
import type { IntakeOpen } from '../../record/admin';
import type { Doors } from './admission';
import type { Gateway } from './gateway';
import type { Sessions } from './sessions';

/** The times the API itself waits; a test shortens them. */
export interface Patience {
  /** How long the engine may take to start a workflow or take a signal; after that the record carries it. */
  readonly engineMs: number;
  /** How long a move may take before the caller is told to look later. */
  readonly moveMs: number;
  /** How long one try of an update may take before the record is asked. */
  readonly tryMs: number;
  /** How long to wait for an approval's first level before a move on it is tried. */
  readonly openMs: number;
  /** The longest a caller may wait for an end in one request. */
  readonly waitMs: number;
}

export const PATIENCE: Patience = { engineMs: 2_000, moveMs: 25_000, tryMs: 5_000, openMs: 5_000, waitMs: 30_000 };

/** What the codec endpoint needs, and whether a run's summary would lie beside encrypted payloads in clear. */
export interface PayloadAccess {
  readonly cipher: Cipher;
  /** What is new is encrypted; else only what is old still reads. */
  readonly encrypts: boolean;
  /** The one other origin whose pages may read answers: the Temporal UI's. */
  readonly uiOrigin: string | null;
  /** Its operators read what belongs to no tenant. */
  readonly operatorTenant: string | null;
}

/** The kill switch. */
export interface Intake {
  pause(input: IntakeInput & { readonly open: IntakeOpen }): Promise<IntakePaused>;
  resume(input: IntakeInput): Promise<{ readonly seq: number | null }>;
}

export interface ApiDeps extends Deps {
  readonly submit: Submit;
  readonly commit: Commit;
  readonly gateway: Gateway;
  readonly sessions: Sessions;
  readonly intake: Intake;
  /** The tenant's active directory; null when none is published. */
  readonly directoryOf: (tenant: string) => Promise<Directory | null>;
  /** Public keys of decision tokens. */
  readonly jwks: () => { readonly keys: readonly object[] };
  readonly patience?: Patience;
  /** Null or absent: nothing in the engine is encrypted. */
  readonly payloads?: PayloadAccess | null;
  /** Whether the process is stopping: it still answers, and asks everybody to go elsewhere. */
  readonly draining?: () => boolean;
  /** How many requests and moves at once, and how many wait; {@link DOORS} unless told. */
  readonly doors?: Doors;
  /** Requests a minute from one caller. */
  readonly rateLimit?: number;
}
