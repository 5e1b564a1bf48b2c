/**
 * What the page of one approval is made from. Types only.
 */
import type { Directory } from '../../domain/directory';
import type { Instant } from '../../domain/json';
import type { ApprovalState, Recorded } from '../../domain/state';
import type { CommandAnswer } from '../../workflows/protocol';
import type { ApprovalRow } from '../api/reads';
import type { SignedIn } from '../api/visibility';

export interface ApprovalPage {
  readonly approval: ApprovalRow;
  readonly entries: readonly Recorded[];
  readonly state: ApprovalState;
  readonly directory: Directory;
  readonly viewer: SignedIn;
  readonly now: Instant;
  readonly formToken: string;
  /** Makes a second click the same move. */
  readonly nonce: string;
  /** The answer to the move just made. */
  readonly answer: CommandAnswer | 'stored' | null;
}
