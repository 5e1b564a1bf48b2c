/**
 * The kill switch: requests of an agent, of a lane or of the whole tenant are not taken until somebody resumes. What becomes of those
 * that are open is said with it: their clocks run on, or each of them is withdrawn, on its own record.
 *
 * It promises: once a pause is answered no new request of its scope is recorded; whoever paused or resumed, and why, is an entry of the
 * tenant's own record, and nothing beside that record says whether requests are taken. Must not import Temporal or client.
 */
import type { Kysely } from 'kysely';
import type { Instant } from '../domain/json';
import { whichOf, type IntakeOpen, type IntakeScope } from '../record/admin';
import { readCovered, readPauses, tellIntake, type Covered, type Pause } from '../record/store/intake';
import type { Tables } from '../record/store/tables';
import type { Active } from './active';
import type { Commit } from './commit';
import type { Deps } from './deps';
import { IntakeError, SubmitError } from './errors';

export interface IntakeDeps extends Deps {
  readonly active: Active;
  readonly commit: Commit;
  /** Tells the workflow of what was withdrawn; where that fails the sweep does it later. */
  readonly nudge?: (tenant: string, approvalId: string) => Promise<void>;
}

export interface IntakeInput {
  readonly tenant: string;
  readonly scope: IntakeScope;
  /** The agent or the lane; empty for the tenant. */
  readonly name: string;
  readonly reason: string;
  /** The operator who says so. */
  readonly by: string;
  /** The store's own time unless told. */
  readonly at?: Instant | undefined;
}

export interface IntakePaused {
  /** The entry that says so; of a pause that was said before in just these words, that one's. */
  readonly seq: number;
  readonly open: IntakeOpen;
  /** How many open approvals were withdrawn. */
  readonly withdrawn: number;
}

/** How many open approvals are read at a time. */
const PAGE = 100;

/** Throws {@link IntakeError}; `store_busy` of the record where requests have been in the middle of routing for too long. */
export async function pauseIntake(deps: IntakeDeps, input: IntakeInput & { readonly open: IntakeOpen }): Promise<IntakePaused> {
  const { tenant, scope, name, reason, by, open, at } = input;
  await check(deps, input);
  let before: Pause | undefined;
  const seq = await tellIntake(deps.db, { tenant, record: deps.keys.record, at }, (held) => {
    before = held.find((p) => p.scope === scope && p.name === name && p.reason === reason && p.open === open && p.by === by);
    return before ? null : { type: 'intake_paused', scope, name, reason, open, by };
  });
  const said = seq ?? before?.seq ?? 0;
  deps.log.warn({ tenant, scope, name, by, open, seq: said }, 'intake paused');
  return { seq: said, open, withdrawn: open === 'withdraw' ? await withdrawCovered(deps, { tenant, seq: said }) : 0 };
}

/** `seq` is the entry that says so; null where intake was not paused. */
export async function resumeIntake(deps: Deps, input: IntakeInput): Promise<{ readonly seq: number | null }> {
  const { tenant, scope, name, reason, by, at } = input;
  if (reason.trim() === '') throw new IntakeError('reason_required', 'Say why requests are taken again: it is on the record');
  const seq = await tellIntake(deps.db, { tenant, record: deps.keys.record, at }, (held) =>
    held.some((p) => p.scope === scope && p.name === name) ? { type: 'intake_resumed', scope, name, reason, by } : null,
  );
  if (seq !== null) deps.log.warn({ tenant, scope, name, by, seq }, 'intake resumed');
  return { seq };
}

/** The pauses that hold, oldest first. */
export const intakeOf = (db: Kysely<Tables>, tenant: string): Promise<readonly Pause[]> => readPauses(db, tenant);

/** Of which a request is, as far as that is known: its lanes only once it is routed. */
export interface Whose {
  readonly agent: string;
  readonly lanes: readonly string[];
}

/** Why a request is not taken, in a sentence; null where it is. */
function whyPaused(held: readonly Pause[], { agent, lanes }: Whose): string | null {
  const pause = held.find(({ scope, name }) => scope === 'tenant' || (scope === 'agent' ? name === agent : lanes.includes(name)));
  if (!pause) return null;
  const { reason, by, at } = pause;
  return `Intake of ${whichOf(pause)} was paused by ${by} at ${at}: ${reason}; nothing was recorded, submit again once it is resumed`;
}

/** The same as a refusal. */
export function refuseWhilePaused(held: readonly Pause[], whose: Whose): void {
  const why = whyPaused(held, whose);
  if (why !== null) throw new SubmitError('intake_paused', why);
}

/**
 * Withdraws what pauses withdraw and has not ended yet; returns how many. Of all tenants without a query, as the sweep does for a process
 * that died in the middle, and then at most `most`.
 */
export async function withdrawCovered(
  deps: Pick<IntakeDeps, 'db' | 'log' | 'commit' | 'nudge'>,
  query: { readonly tenant?: string; readonly seq?: number } = {},
  most = Number.MAX_SAFE_INTEGER,
): Promise<number> {
  let withdrawn = 0;
  for (;;) {
    const page = await readCovered(deps.db, { ...query, limit: Math.min(PAGE, most - withdrawn) });
    for (const one of page) await withdraw(deps, one);
    withdrawn += page.length;
    if (page.length < PAGE || withdrawn >= most) return withdrawn;
  }
}

async function withdraw({ commit, nudge, log }: Pick<IntakeDeps, 'log' | 'commit' | 'nudge'>, { tenant, approvalId, seq }: Covered): Promise<void> {
  await commit({ tenant, approvalId, seq: 0, command: { type: 'intake', entry: seq }, workflowTime: Date.now() });
  await nudge?.(tenant, approvalId).catch((error: unknown) => log.warn({ tenant, approvalId, err: error }, 'its workflow will hear of the withdrawal later'));
}

/** A switch that switches nothing is refused: whoever mistypes a name would believe that requests have stopped. */
async function check({ db, active, log }: IntakeDeps, { tenant, scope, name, reason }: IntakeInput): Promise<void> {
  if (reason.trim() === '') throw new IntakeError('reason_required', 'Say why no requests are taken: it is on the record, and agents are told');
  if (scope === 'tenant') {
    if (name !== '') throw new IntakeError('unknown_scope', 'Intake of the whole tenant has no name beside; leave it out, or name the agent or the lane');
    return;
  }
  if (scope === 'agent') {
    const agent = await db.selectFrom('agents').select('agent').where('tenant', '=', tenant).where('agent', '=', name).executeTakeFirst();
    if (!agent) throw new IntakeError('unknown_scope', `No agent of ${tenant} is called ${name || '(nothing)'}; nothing was paused`);
    return;
  }
  try {
    const { lanes } = await active.policyOf(db, tenant);
    if (!Object.hasOwn(lanes, name))
      throw new IntakeError(
        'unknown_scope',
        `The policy of ${tenant} has no lane ${name || '(nothing)'}; its lanes are ${Object.keys(lanes).sort().join(', ')}`,
      );
  } catch (error) {
    // Without a policy that holds nothing is routed anyway, and open requests may still have such a lane.
    if (!(error instanceof SubmitError)) throw error;
    log.warn({ tenant, name, err: error }, 'the lane could not be looked up');
  }
}
