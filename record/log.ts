/**
 * Rows of the log and of its checkpoints, sealed one by one, so that a changed, moved or added row names itself
 * even where the tree alone would only say between which checkpoints to look.
 * Pure.
 */
import type { Instant, Json } from '../domain/json';
import type { KeyPair } from './keys';
import { plainSign, sign, type RawSign } from './signing';
import type { Hash } from './tree';

export interface LogRow {
  readonly tenant: string;
  readonly position: number;
  readonly approvalId: string;
  readonly seq: number;
  readonly leaf: Hash;
  readonly seal: string;
  readonly keyId: string;
}

export interface CheckpointRow {
  readonly tenant: string;
  readonly size: number;
  readonly root: Hash;
  readonly note: string;
  readonly at: Instant;
  /** Size of the checkpoint before, 0 for the first: so that none can be taken out unseen. */
  readonly previous: number;
  /** Roots of the perfect trees, largest first: what the next batch starts from. */
  readonly range: readonly Hash[];
  readonly seal: string;
  readonly keyId: string;
}

type Unsealed<T> = Omit<T, 'seal' | 'keyId'>;

export const logBody = ({ tenant, position, approvalId: approval, seq, leaf }: Unsealed<LogRow>): Json => ({ v: 1, tenant, position, approval, seq, leaf });

export const checkpointBody = ({ tenant, size, root, note, at, previous, range }: Unsealed<CheckpointRow>): Json => ({
  v: 1,
  tenant,
  size,
  root,
  note,
  at,
  previous,
  range,
});

export const sealLogRow = (row: Unsealed<LogRow>, key: KeyPair, raw: RawSign = plainSign): LogRow => ({
  ...row,
  seal: sign(key, 'countersign/log/v1', logBody(row), raw),
  keyId: key.keyId,
});

export const sealCheckpoint = (row: Unsealed<CheckpointRow>, key: KeyPair, raw: RawSign = plainSign): CheckpointRow => ({
  ...row,
  seal: sign(key, 'countersign/checkpoint/v1', checkpointBody(row), raw),
  keyId: key.keyId,
});
