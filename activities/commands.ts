/**
 * Signed commands: the API writes what an authenticated person wants, signed; commit reads it back and verifies.
 * Temporal carries the id and nothing else. Must not import Temporal.
 */
import type { Transaction } from 'kysely';
import { after, instant, ms, type Instant, type JsonObject } from '../domain/json';
import { commandLabel, sign, verifySignature } from '../record/signing';
import { commandVersion, type CommandBody, type Move, type Refusal } from '../domain/moves';
import { databaseTime } from '../record/store/database';
import { nativeSign, nativeVerify } from '../record/store/signatures';
import type { Tables } from '../record/store/tables';
import type { Deps } from './deps';

/** How long a command may lie before it counts, in milliseconds of domain time. */
const COMMAND_TTL_MS = 2 * 60_000;

export interface IssueInput {
  readonly tenant: string;
  readonly approvalId: string;
  readonly commandId: string;
  /** Empty where an agent moves. */
  readonly person: string;
  /** Where the agent that asked moves. */
  readonly agent?: string | undefined;
  /** Names the act of a person that moves several at once. */
  readonly bulk?: string | undefined;
  readonly move: Move;
  readonly packetDigest: string | null;
  readonly signedInAt: Instant;
  readonly ttlMs?: number;
  /** The domain's now; the clock's unless told (under time skipping the engine knows it). */
  readonly now?: Instant;
}

/** Stores a command with its signature; a repetition under the same id keeps the first. Returns what is stored. */
export async function issueCommand(deps: Deps, input: IssueInput): Promise<CommandBody> {
  const { tenant, approvalId, commandId, person, packetDigest, signedInAt } = input;
  const move = asRecorded(input.move);
  const by = { ...(input.agent === undefined ? {} : { agent: input.agent }), ...(input.bulk === undefined ? {} : { bulk: input.bulk }) };
  const issuedAt = input.now ?? deps.clock.now({ database: await databaseTime(deps.db), workflowTime: null });
  const expiresAt = after(issuedAt, (input.ttlMs ?? COMMAND_TTL_MS) * deps.clock.scale);
  const v = commandVersion({ move, ...by });
  const body: CommandBody = { v, tenant, approvalId, commandId, person, ...by, move, packetDigest, signedInAt, issuedAt, expiresAt };
  const inserted = await deps.db
    .insertInto('commands')
    .values({
      tenant,
      command_id: commandId,
      approval_id: approvalId,
      person,
      body: JSON.stringify(body),
      signature: sign(deps.keys.command, commandLabel(v), body as unknown as JsonObject, nativeSign),
      key_id: deps.keys.command.keyId,
      created_at: issuedAt,
    })
    .onConflict((conflict) => conflict.columns(['tenant', 'command_id']).doNothing())
    .returning('command_id')
    .executeTakeFirst();
  if (inserted) return body;
  const stored = await deps.db.selectFrom('commands').select('body').where('tenant', '=', tenant).where('command_id', '=', commandId).executeTakeFirstOrThrow();
  return stored.body as unknown as CommandBody;
}

/** An instant as every entry writes it, so that an entry tells of the move in the words that were signed. */
export function asRecorded(move: Move): Move {
  if (move.type !== 'update' || move.next_update_at === undefined) return move;
  const at = ms(move.next_update_at);
  // What is no instant is refused by the machine, as it was said.
  return Number.isFinite(at) ? { ...move, next_update_at: instant(at) } : move;
}

export type Admitted = { readonly body: CommandBody; readonly signature: string; readonly keyId: string };

/** The stored command behind an id, if its signature holds and it is meant for this approval. */
export async function admitCommand(
  deps: Deps,
  trx: Transaction<Tables>,
  tenant: string,
  approvalId: string,
  commandId: string,
): Promise<Admitted | { readonly refusal: Refusal; readonly body: CommandBody | null }> {
  const row = await trx
    .selectFrom('commands')
    .select(['body', 'signature', 'key_id'])
    .where('tenant', '=', tenant)
    .where('command_id', '=', commandId)
    .executeTakeFirst();
  if (!row)
    return {
      body: null,
      refusal: { code: 'unknown_command', message: 'No stored command has this id; decisions are made through the API, which stores and signs them' },
    };
  const body = row.body as unknown as CommandBody;
  const isKnown = body.v === commandVersion(body);
  if (!isKnown || !verifySignature(deps.keys.trusted.command, row.key_id, commandLabel(body.v), row.body, row.signature, nativeVerify)) {
    return {
      body: null,
      refusal: { code: 'bad_signature', message: 'The stored command does not carry a valid signature of the API; it was not made by a signed-in person' },
    };
  }
  if (body.tenant !== tenant || body.approvalId !== approvalId || body.commandId !== commandId) {
    return { body, refusal: { code: 'wrong_approval', message: `The command was made for ${body.approvalId}, not for ${approvalId}` } };
  }
  return { body, signature: row.signature, keyId: row.key_id };
}
