/**
 * A move of a person, or of the agent that asked: stored and signed first, then handed to the workflow by its id, then answered from the record.
 * Promises: whatever the engine says, the answer is the record's; the same id is used for every try, so a move counts once;
 * when the time is up the caller gets the command's id to look later, never a guess.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { asRecorded, issueCommand } from '../../activities/commands';
import { readAnswer } from '../../activities/commit';
import type { OwedKind } from '../../domain/events';
import type { Instant, Json } from '../../domain/json';
import type { CommandBody, Move } from '../../domain/moves';
import { isOutcome, type State } from '../../domain/outcome';
import type { AgentIdentity } from '../../domain/request';
import { canonical } from '../../record/canonical';
import type { Db } from '../../record/store/database';
import type { CommandAnswer } from '../../workflows/protocol';
import { AGENT_MOVES, createDoor, DOORS } from './admission';
import { PATIENCE, type ApiDeps } from './deps';
import { createLimiter, IN_FLIGHT_MAX } from './limiter';
import { ApiError, notFound } from './problems';
import { standing, type ApprovalRow } from './reads';
import type { MoveInput } from './schemas';
import type { SignedIn } from './visibility';

export type Moved =
  { readonly status: 'answered'; readonly commandId: string; readonly answer: CommandAnswer } | { readonly status: 'stored'; readonly commandId: string };

/** Where one act of a person moves several. */
export interface AsOneOfMany {
  /** Names the act. */
  readonly bulk: string;
  /** When the act's time is up, by the clock of the process: what is not answered by then is stored. */
  readonly deadline: number;
}

/** What a move is made on. */
export type Target = Pick<ApprovalRow, 'tenant' | 'approvalId' | 'state'>;

export type MakeMove = (
  viewer: Pick<SignedIn, 'tenant' | 'person' | 'signedInAt'>,
  approval: Target,
  input: MoveInput,
  idempotencyKey: string | undefined,
  oneOf?: AsOneOfMany,
) => Promise<Moved>;

/** Moves that only the agent makes, or that it makes like a person who was asked. */
export type AgentMove = Extract<Move, { type: 'reply' | 'add_evidence' }>;

export type MakeAgentMove = (agent: AgentIdentity, approval: Target, move: AgentMove, idempotencyKey: string | undefined) => Promise<Moved>;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** Between looks at the record while the engine is at work, in milliseconds. */
const LOOK_MS = { least: 12, most: 500 };

/** The same person (or agent), approval and key name the same command, in any process and at any time. */
export const commandIdOf = (tenant: string, approvalId: string, mover: string | { readonly agent: string }, key: string): string =>
  createHash('sha256')
    .update(JSON.stringify([tenant, approvalId, mover, key]))
    .digest('base64url');

/** A move without what the caller saw of the packet, which the command carries beside it. */
export function splitMove(input: MoveInput): { readonly move: Move; readonly packetDigest: string | null } {
  if (!('packet_digest' in input)) return { move: asRecorded(input), packetDigest: null };
  const { packet_digest: packetDigest, ...move } = input;
  return { move, packetDigest };
}

/** By what they say: the store gives members back in an order of its own. */
const sameMove = (a: Move, b: Move): boolean => canonical(a as unknown as Json) === canonical(b as unknown as Json);

/** When to look: when moves of late were on the record. Sooner would find nothing and cost a busy store, later would let a person wait. */
function createLooks() {
  let usual: number = LOOK_MS.least;
  const within = (pauseMs: number): number => Math.max(LOOK_MS.least, Math.min(pauseMs, LOOK_MS.most));
  return {
    first: (): number => usual,
    after: (waitedMs: number): number => within(waitedMs / 3),
    /** An answer that was there at the first look may have been there for a while: the next one looks a little sooner. */
    learn: (waitedMs: number): void => void (usual = within(waitedMs > usual ? (usual + waitedMs) / 2 : waitedMs * 0.8)),
  };
}

/** What the record says of a command before it is handed over, read at one moment. */
interface Standing {
  readonly at: Instant;
  /** Whether the approval has ended. */
  readonly ended: boolean;
  /** The command, where it was stored before. */
  readonly stored: CommandBody | null;
  readonly answer: CommandAnswer | null;
}

async function whereItStands(db: Db, tenant: string, approvalId: string, commandId: string): Promise<Standing> {
  const row = await db
    .selectFrom('approvals as a')
    .leftJoin('commands as c', (join) =>
      join.onRef('c.tenant', '=', 'a.tenant').onRef('c.approval_id', '=', 'a.approval_id').on('c.command_id', '=', commandId),
    )
    .leftJoin('answers as w', (join) => join.onRef('w.tenant', '=', 'a.tenant').onRef('w.approval_id', '=', 'a.approval_id').on('w.command_id', '=', commandId))
    .select(['a.state', 'c.body', 'w.answer'])
    .select(sql<Instant>`clock_timestamp()`.as('at'))
    .where('a.tenant', '=', tenant)
    .where('a.approval_id', '=', approvalId)
    .executeTakeFirst();
  if (!row) throw notFound('approval');
  // Both were written from these very types.
  return {
    at: row.at,
    ended: isOutcome(row.state as State),
    stored: row.body as unknown as CommandBody | null,
    answer: row.answer as unknown as CommandAnswer | null,
  };
}

/** A move with whoever makes it. */
interface Making {
  readonly person: string;
  readonly agent?: string;
  /** When the person signed in; null for an agent, which shows its key each time. */
  readonly signedInAt: Instant | null;
  readonly move: Move;
  readonly packetDigest: string | null;
}

export function createMakeMove(deps: ApiDeps): { readonly makeMove: MakeMove; readonly makeAgentMove: MakeAgentMove } {
  const { db, gateway, commit, log } = deps;
  const patience = deps.patience ?? PATIENCE;
  const limiter = createLimiter(IN_FLIGHT_MAX);
  const looks = createLooks();
  const enter = createDoor((deps.doors ?? DOORS).moves, 'moves of people');
  const enterAgents = createDoor(AGENT_MOVES, 'moves of agents');

  /** The first level opens moments after the submit; a move that comes in between waits for it instead of being refused. */
  async function untilOpened(approval: Target, deadline: number): Promise<void> {
    for (let state = approval.state, pause = FIRST_PAUSE_MS; state === 'routing' && Date.now() < deadline; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await sleep(pause);
      ({ state } = await standing(db, approval.tenant, approval.approvalId));
    }
  }

  /** For an approval that has ended no workflow will take it any more. Sequence 0 adopts nothing: that is the workflow's to say. */
  async function afterTheEnd(tenant: string, approvalId: string, commandId: string): Promise<CommandAnswer | null> {
    const { answer } = await commit({ tenant, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: Date.now() });
    return answer;
  }

  /** A move counts once it is on the record; the engine may say so later, when the agent has been told as well. */
  async function onRecord(told: Promise<CommandAnswer>, tenant: string, commandId: string): Promise<CommandAnswer> {
    const engine = { spoke: false };
    const speaks = (): void => void (engine.spoke = true);
    told.then(speaks, speaks);
    for (let [pause, waited] = [looks.first(), 0]; ; pause = looks.after(waited)) {
      await sleep(pause);
      waited += pause;
      const stored = engine.spoke ? null : await readAnswer(db, tenant, commandId);
      if (!stored && !engine.spoke) continue;
      const answer = stored?.answer ?? (await told);
      looks.learn(waited);
      return answer;
    }
  }

  async function answered(tenant: string, approvalId: string, commandId: string, deadline: number, first: Standing): Promise<CommandAnswer | null> {
    for (let [pause, seen] = [FIRST_PAUSE_MS, first]; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const early = seen.answer ?? (seen.ended ? await afterTheEnd(tenant, approvalId, commandId) : null);
      if (early) return early;
      const left = deadline - Date.now();
      if (left <= 0) return null;
      try {
        const told = limiter.run(approvalId, () =>
          gateway.sendCommand(tenant, approvalId, commandId, Math.max(1, Math.min(patience.tryMs, deadline - Date.now()))),
        );
        return await Promise.race([told, onRecord(told, tenant, commandId)]);
      } catch (error) {
        log.warn({ err: error, tenant, approvalId, commandId }, 'the engine did not answer a move; asking the record');
      }
      await sleep(Math.max(0, Math.min(pause, deadline - Date.now())));
      seen = await whereItStands(db, tenant, approvalId, commandId);
    }
  }

  /** Nobody waits for it: a workflow that cannot be started now is started by the sweep. */
  async function deliverAgain(tenant: string, approvalId: string, owedId: string): Promise<void> {
    const debt = await db
      .selectFrom('deliveries')
      .select(['kind', 'target'])
      .where('tenant', '=', tenant)
      .where('approval_id', '=', approvalId)
      .where('owed_id', '=', owedId)
      .executeTakeFirst();
    if (!debt) return;
    const about = { tenant, approvalId, owedId, kind: debt.kind as OwedKind, summary: `${debt.kind}: ${debt.target}` };
    try {
      await gateway.startDelivery(about, patience.engineMs);
    } catch (error) {
      log.warn({ err: error, tenant, approvalId, owedId }, 'the delivery is to be tried again and its workflow did not start; the sweep will start it');
    }
  }

  async function make({ tenant, approvalId, state }: Target, who: Making, idempotencyKey: string | undefined, oneOf?: AsOneOfMany): Promise<Moved> {
    const { person, agent, move, packetDigest } = who;
    const commandId = idempotencyKey === undefined ? randomUUID() : commandIdOf(tenant, approvalId, agent === undefined ? person : { agent }, idempotencyKey);
    const started = Date.now();
    const deadline = Math.min(started + patience.moveMs, oneOf?.deadline ?? Infinity);
    await untilOpened({ tenant, approvalId, state }, Math.min(started + patience.openMs, deadline));
    const before = await whereItStands(db, tenant, approvalId, commandId);
    const now = deps.clock.now({ database: before.at, workflowTime: null });
    const command = { tenant, approvalId, commandId, person, agent, bulk: oneOf?.bulk, move, packetDigest, signedInAt: who.signedInAt ?? now, now };
    const stored = before.stored ?? (await issueCommand(deps, command));
    if (!sameMove(stored.move, move) || stored.packetDigest !== packetDigest) {
      throw new ApiError(
        'key_reused',
        `The Idempotency-Key was used for another move (${stored.move.type}) on this approval; two different moves need two keys`,
        { command_id: commandId },
      );
    }
    const answer = await answered(tenant, approvalId, commandId, deadline, before);
    // What is open carries it out itself.
    if (answer?.accepted && move.type === 'reopen_delivery' && isOutcome(answer.state as State)) await deliverAgain(tenant, approvalId, move.owed_id);
    return answer ? { status: 'answered', commandId, answer } : { status: 'stored', commandId };
  }

  return {
    makeMove: (viewer, approval, input, key, oneOf) =>
      enter(() => make(approval, { person: viewer.person.id, signedInAt: viewer.signedInAt, ...splitMove(input) }, key, oneOf)),
    makeAgentMove: ({ agent }, approval, move, key) =>
      enterAgents(() => make(approval, { person: '', agent, signedInAt: null, move, packetDigest: null }, key)),
  };
}
