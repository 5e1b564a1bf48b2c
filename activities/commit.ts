/**
 * How a move becomes true: one SQL transaction that locks the approval, answers a repeated command as before, folds the
 * record, takes the time, verifies and authorizes, decides, and inserts entries, answer and projection together.
 * Called by the workflow (as a local activity, else a regular one), and by the API for an approval that has ended.
 *
 * It promises: two commits never both see the same head; a command's id is consumed whether it is accepted or refused;
 * an error allows nothing and leaves nothing. Must not import Temporal.
 */
import type { Transaction } from 'kysely';
import { saidOpenly } from '../domain/choice';
import { decide } from '../domain/decide';
import type { Conditions } from '../domain/plan';
import { isUnconditional, unite } from '../domain/conditions';
import { isPastDeadline, type Context } from '../domain/ladder';
import type { Directory } from '../domain/directory';
import type { ApprovalEvent } from '../domain/events';
import { STRAYS_MAX, type Command, type CommandBody, type Refusal } from '../domain/moves';
import { viewOf } from '../domain/view';
import { whichOf } from '../record/admin';
import { readCovered } from '../record/store/intake';
import type { Tables } from '../record/store/tables';
import type { CommandAnswer, CommitInput, CommitResult } from '../workflows/protocol';
import type { Active } from './active';
import { routeAgain } from './again';
import { addEntries, contextOf, lockApproval, lookedPolicy, nowOf, project, type Adopts, type Loaded } from './approvals';
import { calendarsOf, type Calendars } from './calendars';
import { admitCommand } from './commands';
import type { Deps } from './deps';
import { CommitError } from './errors';
import type { Pace } from './pace';
import { resultOf, type Mint } from './result';

export interface CommitDeps extends Deps {
  readonly mint: Mint;
  readonly directoryOf: (trx: Transaction<Tables>, tenant: string, hash: string | null) => Promise<Directory | null>;
  readonly versionOf: Active['versionOf'];
  readonly pace: Pace;
}

export type Commit = (input: CommitInput) => Promise<CommitResult>;

export function createCommit(deps: CommitDeps): Commit {
  return async (input) =>
    await deps.db.transaction().execute(async (trx): Promise<CommitResult> => {
      const commandId = input.command.type === 'command' ? input.command.commandId : null;
      const loaded = await lockApproval(trx, input.tenant, input.approvalId, commandId);
      const directory = await deps.directoryOf(trx, input.tenant, loaded.directoryHash);
      if (!directory) throw new CommitError('no_directory', `Tenant ${input.tenant} has no valid directory, so nobody's role can be checked; publish one`);
      const now = nowOf(deps, loaded, input.workflowTime);
      // Of this approval: an id that was tried on another one has its answer there, which says nothing here.
      const earlier = loaded.answer as unknown as CommandAnswer | null;
      const rewound = isRewound(loaded, input);
      const noticed = await notice(deps, trx, loaded, input, rewound, now);
      const told = { ...(rewound ? { rewound } : {}), ...scaleFor(deps, input) };
      if (earlier) {
        if (noticed !== loaded) await project(trx, loaded, { ...noticed, recorded: [] }, directory, now, loaded.result, adoptsOf(input));
        return {
          view: viewOf(noticed.state, loaded.plan, directory, now, loaded.result, deps.pace.isQuick),
          answer: earlier,
          head: startOf(noticed.head.hash),
          ...told,
        };
      }
      const world: World = { directory, calendars: await calendarsOf(deps.versionOf, trx, loaded), now };
      const standing = await catchUp(deps, trx, noticed, world);
      const { events, refusal, body } = await judge(deps, trx, standing, world, input);
      const added = await addEntries(
        deps,
        trx,
        loaded,
        standing,
        now,
        events.map((event, i) => ({ event, commandId: i === 0 ? commandId : null })),
        input.command.type === 'open' ? input.run?.id : undefined,
      );
      const result = loaded.result ?? (await resultOf(deps.mint, loaded, added.state));
      const answer: CommandAnswer | null =
        commandId === null ? null : { commandId, accepted: refusal === null, state: added.state.state, seq: added.head.seq, refusal };
      // One stray message too many: it is refused, and nothing is kept of it.
      const kept = answer !== null && !(refusal && events.length === 0);
      const { tenant, approvalId } = input;
      const row = { tenant, command_id: commandId ?? '', approval_id: approvalId, answer: JSON.stringify(answer), at: now };
      const looked = looksAnew(input, standing) ? { looked: { directory: directory.hash, policy: lookedPolicy(loaded) } } : {};
      await project(trx, loaded, added, directory, now, result, adoptsOf(input), { ...(kept ? { answer: row } : {}), ...looked });
      const view = viewOf(added.state, loaded.plan, directory, now, result, deps.pace.isQuick);
      const adopted = { view, head: startOf(added.head.hash), ...told };
      if (!kept) return { ...adopted, answer };
      deps.log.info(
        {
          tenant: input.tenant,
          approvalId: input.approvalId,
          commandId,
          person: body?.person,
          ...(body?.agent === undefined ? {} : { agent: body.agent }),
          ...(body?.bulk === undefined ? {} : { bulk: body.bulk }),
          // Who chooses unseen is not read about in a log either.
          ...(loaded.plan.tier === 'dual' ? {} : { move: body?.move.type }),
          accepted: answer.accepted,
          code: refusal?.code,
        },
        'move answered',
      );
      return { ...adopted, answer };
    });
}

/** Who is there, which calendars hold, and when it is. */
interface World {
  readonly directory: Directory;
  readonly calendars: Calendars;
  readonly now: string;
}

/** Whether everyone who is asked has been held against who is there now: by a knock, and where nobody had been asked before. */
const looksAnew = ({ command }: CommitInput, { state }: Loaded): boolean => command.type === 'clock' || (command.type === 'open' && state.state === 'routing');

/** How much of an entry's digest a workflow remembers: enough to tell two records apart. */
const startOf = (hash: string): string => hash.slice(0, 12);

/** Only a workflow adopts. Those of older versions do not say which run they are. */
const adoptsOf = ({ run, seq, command }: CommitInput): Adopts => (run !== undefined || seq > 0 || command.type === 'open' ? 'all' : 'none');

const scaleFor = ({ clock }: Deps, { timeScale }: CommitInput): { readonly timeScale?: number } =>
  timeScale === undefined || timeScale === clock.scale ? {} : { timeScale: clock.scale };

/** Whether the record does not hold what the workflow has adopted: it was restored from an older backup. */
function isRewound({ head, timeline }: Loaded, { seq, head: known }: CommitInput): true | undefined {
  if (seq > head.seq) return true;
  return seq > 0 && known !== undefined && !(timeline[seq - 1]?.leaf ?? '').startsWith(known) ? true : undefined;
}

/** What the engine went through that the record has not heard of is an entry, once for each run. The record stands as it is. */
async function notice(
  deps: Deps,
  trx: Transaction<Tables>,
  loaded: Loaded,
  { seq, run, command }: CommitInput,
  rewound: true | undefined,
  now: string,
): Promise<Loaded> {
  if (run === undefined) return loaded;
  const { state } = loaded.state;
  const began = loaded.timeline.some((entry) => entry.fields['context.run'] === run.id);
  const tell = async (event: ApprovalEvent): Promise<Loaded> => {
    const { head, state } = await addEntries(deps, trx, loaded, loaded, now, [{ event, commandId: null }], run.id);
    return { ...loaded, head, state };
  };
  if (rewound) {
    const where = seq > loaded.head.seq ? `ends at ${String(loaded.head.seq)}` : 'holds another one there';
    const why = `Its workflow had adopted entry ${String(seq)} and the record ${where}, as after a restore of an older backup: what the record says holds`;
    deps.log.error({ tenant: loaded.tenant, approvalId: loaded.approvalId, adopted: seq, head: loaded.head.seq }, 'the engine knows more than the record');
    // A commit that is tried again has said so already.
    return loaded.timeline.some((entry) => entry.fields['why'] === why && entry.fields['context.run'] === run.id)
      ? loaded
      : await tell({ type: 'engine', what: 'record_behind', why });
  }
  if (began) return loaded;
  if (run.reset)
    return await tell({ type: 'engine', what: 'adopted', why: `Its workflow was reset; the new run goes on from ${state}, where the record stands` });
  if (command.type !== 'open' || seq > 0 || run.fromRecord || state === 'routing') return loaded;
  return await tell({ type: 'engine', what: 'adopted', why: `A run of its workflow began, and the record stood at ${state} already: it goes on from there` });
}

/** A deadline that has passed counts first: nobody decides after their time because a clock was late, as after an outage. */
async function catchUp(deps: Deps, trx: Transaction<Tables>, loaded: Loaded, { directory, calendars, now }: World): Promise<Loaded> {
  if (!isPastDeadline(loaded.state, now)) return loaded;
  const decision = decide(loaded.state, { type: 'clock' }, contextOf(loaded, directory, now, calendars));
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

async function judge(deps: CommitDeps, trx: Transaction<Tables>, loaded: Loaded, world: World, input: CommitInput): Promise<Judgment> {
  const context = contextOf(loaded, world.directory, world.now, world.calendars);
  const { command } = input;
  if (command.type === 'unsigned') return stray(loaded, { code: 'unsigned_message', message: command.message }, '', null);
  if (command.type === 'intake') return await stopped(trx, loaded, context, command.entry);
  if (command.type !== 'command') {
    const decision = decide(loaded.state, command.type === 'withdraw' ? { ...command, by: claimedBy(loaded, command.by) } : command, context);
    // Only people's moves can be refused; a clock that comes early and a second withdrawal simply do nothing.
    return { events: 'events' in decision ? decision.events : [], refusal: null, body: null };
  }
  const admitted = await admitCommand(deps, trx, input.tenant, input.approvalId, command.commandId);
  if ('refusal' in admitted) return stray(loaded, admitted.refusal, command.commandId, admitted.body);
  const move: Command = { type: 'move', id: command.commandId, ...admitted };
  const decision = decide(loaded.state, move, context);
  if ('refusal' in decision) return refused(decision.refusal, command.commandId, admitted.body);
  const said = admitted.body.move.type === 'approve' ? admitted.body.move.conditions : undefined;
  const conditions = isUnconditional(said) ? undefined : unite(knownTo(loaded, decision.events), said);
  if (!conditions) return { events: decision.events, refusal: null, body: admitted.body };
  const routed = await routeAgain(deps.versionOf, trx, loaded, conditions);
  if ('refusal' in routed) return refused(routed.refusal, command.commandId, admitted.body);
  const events = decision.events.map((event): ApprovalEvent => (event.type === 'signed_off' ? { ...event, routedAgain: routed.again } : event));
  return { events, refusal: null, body: admitted.body };
}

/** The conditions that a yes adds to: what is sealed takes part in no answer that its maker gets. */
function knownTo({ state, plan }: Loaded, events: readonly ApprovalEvent[]): Conditions | undefined {
  const said = events.find((event) => event.type === 'signed_off');
  return said ? saidOpenly(state, plan, said.signOff) : state.conditions;
}

/**
 * A withdrawal is unsigned: anyone who may write to the engine can send one under any name. That it came in the name of the agent, or
 * of the engine itself, needs no proof; anybody else's name is only what was claimed.
 */
const claimedBy = ({ agent }: Loaded, by: string): string =>
  [agent, 'the agent', 'engine'].includes(by) ? by : `a message to the engine, which gave the name "${by.slice(0, 100)}"`;

/** Intake was paused, and what was open before is withdrawn: the tenant's own record says so, by whom and why, and no message does. */
async function stopped(trx: Transaction<Tables>, loaded: Loaded, context: Context, entry: number): Promise<Judgment> {
  const { tenant, approvalId, state } = loaded;
  const [pause] = await readCovered(trx, { tenant, approvalId, seq: entry, limit: 1 });
  if (!pause) return { events: [], refusal: null, body: null };
  const decision = decide(state, { type: 'withdraw', by: pause.by, reason: `intake of ${whichOf(pause)} was paused: ${pause.reason}` }, context);
  return { events: 'events' in decision ? decision.events : [], refusal: null, body: null };
}

/** A message that nobody with authority sent: refused, and on the record as long as there are not too many. */
function stray({ state }: Loaded, refusal: Refusal, commandId: string, body: CommandBody | null): Judgment {
  if (state.strays > STRAYS_MAX) return { events: [], refusal, body };
  const last = state.strays === STRAYS_MAX ? '. There were many of this kind: more are refused as well, and not recorded one by one' : '';
  return refused({ ...refusal, message: refusal.message + last }, commandId, body);
}

/** A refusal is on the record too: who tried what, and why it did not count. */
function refused(refusal: Refusal, commandId: string, body: CommandBody | null): Judgment {
  const event: ApprovalEvent = {
    type: 'refused',
    code: refusal.code,
    message: refusal.message,
    by: body?.agent ?? body?.person ?? 'unknown',
    move: body?.move.type ?? 'unknown',
    commandId,
  };
  return { events: [event], refusal, body };
}

/** The answer that a stored command got on the approval it was made for, if it got one. */
export async function readAnswer(db: CommitDeps['db'], tenant: string, commandId: string): Promise<{ approvalId: string; answer: CommandAnswer } | null> {
  const row = await db
    .selectFrom('commands as c')
    .innerJoin('answers as w', (join) =>
      join.onRef('w.tenant', '=', 'c.tenant').onRef('w.approval_id', '=', 'c.approval_id').onRef('w.command_id', '=', 'c.command_id'),
    )
    .select(['c.approval_id', 'w.answer'])
    .where('c.tenant', '=', tenant)
    .where('c.command_id', '=', commandId)
    .executeTakeFirst();
  return row ? { approvalId: row.approval_id, answer: row.answer as unknown as CommandAnswer } : null;
}
