/**
 * A person who does not give up: a stored command, sent straight to Temporal, and on any error the answer from the record, else the
 * same command again. What the API does, without the API.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { readApproval } from '../../activities/approvals';
import { issueCommand } from '../../activities/commands';
import { readAnswer } from '../../activities/commit';
import type { Core } from '../../activities/core';
import { instant } from '../../domain/json';
import { DECIDING, type Move } from '../../domain/moves';
import { isOutcome, type State } from '../../domain/outcome';
import { COMMAND_UPDATE, approvalWorkflowId, type CommandAnswer, type CommandMessage } from '../../workflows/protocol';
import { TENANT } from './desk';

export interface Told {
  readonly approvalId: string;
  readonly person: string;
  readonly answer: CommandAnswer;
  /** Errors of the engine on the way. */
  readonly errors: number;
}

export interface Approver {
  readonly core: Core;
  readonly client: Client;
  /** How long one call may take before the record is asked. */
  readonly patienceMs?: number;
}

/** Makes a move and does not rest until the record says what came of it. */
export async function insist(
  { core, client, patienceMs = 30_000 }: Approver,
  approvalId: string,
  person: string,
  move: Move,
  commandId: string = randomUUID(),
  /** Where an agent moves, and `person` is nobody. */
  agent?: string,
): Promise<Told> {
  const { db } = core.deps;
  // As it stands: with what was added to it since it was made.
  const packetDigest = DECIDING.includes(move.type) ? ((await readApproval(db, TENANT, approvalId))?.packetDigest ?? null) : null;
  const now = core.deps.clock.now({ database: instant(Date.now()), workflowTime: null });
  await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, person, agent, move, packetDigest, signedInAt: now, now });
  for (let errors = 0; ; errors += 1) {
    const known = await fromRecord(core, approvalId, commandId);
    if (known) return { approvalId, person, answer: known, errors };
    try {
      return { approvalId, person, answer: await send(client, approvalId, commandId, patienceMs), errors };
    } catch {
      // What the engine says about a move is not what counts; the record is asked next.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Hands over a command's id and waits for the answer; the engine's errors come through. */
async function send(client: Client, approvalId: string, commandId: string, patienceMs = 30_000): Promise<CommandAnswer> {
  return await client.withDeadline(Date.now() + patienceMs, () =>
    client.workflow
      .getHandle(approvalWorkflowId(TENANT, approvalId))
      .executeUpdate<CommandAnswer, [CommandMessage]>(COMMAND_UPDATE, { args: [{ commandId }], updateId: commandId }),
  );
}

/** The stored answer; for an approval that has ended, the one that it gives now. */
async function fromRecord(core: Core, approvalId: string, commandId: string): Promise<CommandAnswer | null> {
  const stored = await readAnswer(core.deps.db, TENANT, commandId);
  if (stored) return stored.answer;
  const { state } = await core.deps.db
    .selectFrom('approvals')
    .select('state')
    .where('tenant', '=', TENANT)
    .where('approval_id', '=', approvalId)
    .executeTakeFirstOrThrow();
  if (!isOutcome(state as State)) return null;
  return (await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: Date.now() })).answer;
}
