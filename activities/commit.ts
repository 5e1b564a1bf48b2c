/**
 * How a move becomes true: one SQL transaction that locks the approval, answers a repeated command as before, folds the
 * record, takes the time, verifies and authorizes, decides, and inserts entries, answer and projection together.
 * Called by the workflow (as a local activity, else a regular one), and by the API for an approval that has ended.
 *
 * It promises: two commits never both see the same head; a command's id is consumed whether it is accepted or refused;
 * an error allows nothing and leaves nothing. Must not import Temporal.
 */
import type { Transaction } from 'kysely';
import { decide } from '../domain/decide';
import { isPastDeadline } from '../domain/ladder';
import type { Directory } from '../domain/directory';
import type { ApprovalEvent } from '../domain/events';
import type { Command, CommandBody, Refusal } from '../domain/moves';
import { viewOf } from '../domain/view';
import type { Tables } from '../record/store/tables';
import type { CommandAnswer, CommitInput, CommitResult } from '../workflows/protocol';
import { addEntries, contextOf, domainNow, lockApproval, project, type Loaded } from './approvals';
import { admitCommand } from './commands';
import type { Deps } from './deps';
import { CommitError } from './errors';
import { resultOf, type Mint } from './result';

export interface CommitDeps extends Deps {
  readonly mint: Mint;
  readonly directoryOf: (trx: Transaction<Tables>, tenant: string) => Promise<Directory | null>;
}

export type Commit = (input: CommitInput) => Promise<CommitResult>;

export function createCommit(deps: CommitDeps): Commit {
  return async (input) =>
    await deps.db.transaction().execute(async (trx): Promise<CommitResult> => {
      const loaded = await lockApproval(trx, input.tenant, input.approvalId);
      const directory = await deps.directoryOf(trx, input.tenant);
      if (!directory) throw new CommitError('no_directory', `Tenant ${input.tenant} has no valid directory, so nobody's role can be checked; publish one`);
      const now = await domainNow(deps, trx, input.workflowTime, loaded.lastAt);
      const commandId = input.command.type === 'command' ? input.command.commandId : null;
      // Of this approval: an id that was tried on another one has its answer there, which says nothing here.
      const earlier = commandId === null ? null : await answerOn(trx, input.tenant, input.approvalId, commandId);
      if (earlier) return { view: viewOf(loaded.state, loaded.plan, directory, now, loaded.result), answer: earlier };
      const standing = await catchUp(deps, trx, loaded, directory, now);
      const { events, refusal, body } = await judge(deps, trx, standing, directory, input, now);
      const added = await addEntries(
        deps,
        trx,
        loaded,
        standing,
        now,
        events.map((event, i) => ({ event, commandId: i === 0 ? commandId : null })),
      );
      const result = loaded.result ?? (await resultOf(deps.mint, loaded, added.state));
      await project(trx, loaded, added, directory, now, result, input.seq);
      const view = viewOf(added.state, loaded.plan, directory, now, result);
      if (commandId === null) return { view, answer: null };
      const answer: CommandAnswer = { commandId, accepted: refusal === null, state: added.state.state, seq: added.head.seq, refusal };
      await trx
        .insertInto('answers')
        .values({ tenant: input.tenant, command_id: commandId, approval_id: input.approvalId, answer: JSON.stringify(answer), at: now })
        .execute();
      deps.log.info(
        {
          tenant: input.tenant,
          approvalId: input.approvalId,
          commandId,
          person: body?.person,
          move: body?.move.type,
          accepted: answer.accepted,
          code: refusal?.code,
        },
        'move answered',
      );
      return { view, answer };
    });
}

/** A deadline that has passed counts first: nobody decides after their time because a clock was late, as after an outage. */
async function catchUp(deps: Deps, trx: Transaction<Tables>, loaded: Loaded, directory: Directory, now: string): Promise<Loaded> {
  if (!isPastDeadline(loaded.state, now)) return loaded;
  const decision = decide(loaded.state, { type: 'clock' }, contextOf(loaded, directory, now));
  const events = 'events' in decision ? decision.events : [];
  const { state, head } = await addEntries(
    deps,
    trx,
    loaded,
    loaded,
    now,
    events.map((event) => ({ event, commandId: null })),
  );
  return { ...loaded, state, head };
}

interface Judgment {
  readonly events: readonly ApprovalEvent[];
  readonly refusal: Refusal | null;
  readonly body: CommandBody | null;
}

async function judge(deps: Deps, trx: Transaction<Tables>, loaded: Loaded, directory: Directory, input: CommitInput, now: string): Promise<Judgment> {
  const context = contextOf(loaded, directory, now);
  const { command } = input;
  if (command.type !== 'command') {
    const decision = decide(loaded.state, command, context);
    // Only people's moves can be refused; a clock that comes early and a second withdrawal simply do nothing.
    return { events: 'events' in decision ? decision.events : [], refusal: null, body: null };
  }
  const admitted = await admitCommand(deps, trx, input.tenant, input.approvalId, command.commandId);
  if ('refusal' in admitted) return refused(admitted.refusal, command.commandId, admitted.body);
  const move: Command = { type: 'move', id: command.commandId, ...admitted };
  const decision = decide(loaded.state, move, context);
  if ('refusal' in decision) return refused(decision.refusal, command.commandId, admitted.body);
  return { events: decision.events, refusal: null, body: admitted.body };
}

/** A refusal is on the record too: who tried what, and why it did not count. */
function refused(refusal: Refusal, commandId: string, body: CommandBody | null): Judgment {
  const event: ApprovalEvent = {
    type: 'refused',
    code: refusal.code,
    message: refusal.message,
    by: body?.person ?? 'unknown',
    move: body?.move.type ?? 'unknown',
    commandId,
  };
  return { events: [event], refusal, body };
}

/** The answer that a command got on one approval, if it got one. */
async function answerOn(db: CommitDeps['db'], tenant: string, approvalId: string, commandId: string): Promise<CommandAnswer | null> {
  const row = await db
    .selectFrom('answers')
    .select('answer')
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .where('command_id', '=', commandId)
    .executeTakeFirst();
  return row ? (row.answer as unknown as CommandAnswer) : null;
}

/** The answer that a stored command got on the approval it was made for, if it got one. */
export async function readAnswer(db: CommitDeps['db'], tenant: string, commandId: string): Promise<{ approvalId: string; answer: CommandAnswer } | null> {
  const command = await db.selectFrom('commands').select('approval_id').where('tenant', '=', tenant).where('command_id', '=', commandId).executeTakeFirst();
  const answer = command && (await answerOn(db, tenant, command.approval_id, commandId));
  return answer ? { approvalId: command.approval_id, answer } : null;
}
