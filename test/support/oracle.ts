/**
 * Gathers what the judge of the fault tests compares (./checker): the store's rows, how the workflows ended, what tokens claim, and what the
 * verification of the record finds. It reads the store with its own statements, and verifies tokens with a library.
 */
import type { Client } from '@temporalio/client';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { sql } from 'kysely';
import { createTokens } from '../../activities/tokens';
import type { ApprovalEvent } from '../../domain/events';
import type { Json } from '../../domain/json';
import type { Move } from '../../domain/moves';
import { EXECUTABLE, type ApprovalResult } from '../../domain/outcome';
import { isTokenClaims, TOKEN_ALG, TOKEN_TYP, type TokenClaims } from '../../domain/token';
import { eventOf } from '../../record/entry';
import type { Db } from '../../record/store/database';
import { verifyStore } from '../../record/store/export';
import { readTimeline } from '../../record/store/entries';
import { sequence } from '../../record/store/sequencer';
import type { Keys } from '../../record/keys';
import { approvalWorkflowId, type CommandAnswer } from '../../workflows/protocol';
import { violations, type Evidence, type PersonLine, type ReceiverLine, type StoredApproval } from './checker';
import type { ReferenceAgent } from './reference-agent';

/** Where the oracle looks. */
export interface Ground {
  readonly db: Db;
  readonly keys: Keys;
  readonly client: Client;
  readonly tenant: string;
}

/** How many approvals are looked up at once. */
const AT_ONCE = 16;
/** How long a workflow whose approval has ended may take to end, in milliseconds. */
const END_MS = 60_000;

/** Everything but the journals: of the approvals named, or of all of the tenant. `verify`: with the tenant's whole record, which takes its time. */
export async function collect(
  ground: Ground,
  tokens: readonly string[],
  { only, verify = true }: { readonly only?: readonly string[]; readonly verify?: boolean } = {},
): Promise<Pick<Evidence, 'approvals' | 'claims' | 'findings'>> {
  const { db, tenant } = ground;
  const ids = only ?? (await db.selectFrom('approvals').select('approval_id').where('tenant', '=', tenant).execute()).map((row) => row.approval_id);
  const approvals: StoredApproval[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = await Promise.all(ids.slice(from, from + AT_ONCE).map((id) => stored(ground, id)));
    approvals.push(...some.flatMap((approval) => (approval ? [approval] : [])));
  }
  const given = new Set([...tokens, ...approvals.flatMap(({ result }) => (result ? [result.token] : []))]);
  return { approvals, claims: await claimsOf(ground.keys, [...given]), findings: verify ? await findings(ground, ids) : [] };
}

async function stored({ db, client, tenant }: Ground, approvalId: string): Promise<StoredApproval | null> {
  const at = (table: 'answers' | 'commands' | 'deliveries') => db.selectFrom(table).where('tenant', '=', tenant).where('approval_id', '=', approvalId);
  const row = await db
    .selectFrom('approvals as a')
    .innerJoin('requests as r', (join) => join.onRef('r.tenant', '=', 'a.tenant').onRef('r.approval_id', '=', 'a.approval_id'))
    .select(['idempotency_key', 'action_digest', 'body', 'plan', 'needs_workflow', 'state', 'head', 'head_hash', 'result'])
    .where('a.tenant', '=', tenant)
    .where('a.approval_id', '=', approvalId)
    .executeTakeFirst();
  if (!row) return null;
  const answers = await at('answers').select('answer').execute();
  const commands = await at('commands').select(['command_id', 'person', 'body']).execute();
  const deliveries = await at('deliveries').select(['owed_id', 'kind', 'status']).execute();
  const { resume } = row.body as { readonly resume?: { readonly type?: string } };
  const result = row.result as unknown as ApprovalResult | null;
  return {
    approvalId,
    key: row.idempotency_key,
    actionDigest: row.action_digest,
    signOffs: (row.plan as { readonly signOffs?: readonly Json[] }).signOffs?.length ?? 0,
    needsWorkflow: row.needs_workflow,
    callback: resume?.type === 'callback',
    state: row.state,
    head: row.head,
    headHash: row.head_hash,
    result,
    entries: (await readTimeline(db, tenant, approvalId)).map(({ seq, leaf, commandId, type, fields }) => ({
      seq,
      leaf,
      commandId,
      event: eventOf(type, fields) as ApprovalEvent,
    })),
    answers: answers.map(({ answer }) => answer as unknown as CommandAnswer),
    commands: commands.map(({ command_id, person, body }) => ({ commandId: command_id, person, move: (body as unknown as { readonly move: Move }).move.type })),
    deliveries: deliveries.map(({ owed_id, kind, status }) => ({ owedId: owed_id, kind, status })),
    workflow: row.needs_workflow ? await endOfWorkflow(client, approvalWorkflowId(tenant, approvalId), result !== null) : null,
  };
}

/** What the engine says of it. One whose approval has ended is waited for, for a while. */
async function endOfWorkflow(client: Client, workflowId: string, ended: boolean): Promise<StoredApproval['workflow']> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { outcome, token } = await client.withDeadline(Date.now() + (ended ? END_MS : 1_000), async () => (await handle.result()) as ApprovalResult);
    return { status: 'completed', outcome, token };
  } catch {
    const status = await handle.describe().then(
      ({ status: { name } }) => name.toLowerCase(),
      () => 'unknown',
    );
    return { status, outcome: null, token: null };
  }
}

/** By a library, with the public keys alone. */
async function claimsOf(keys: Keys, tokens: readonly string[]): Promise<Map<string, TokenClaims>> {
  const keyOf = createLocalJWKSet(createTokens({ keys, issuer: '' }).jwks());
  const claims = new Map<string, TokenClaims>();
  for (const token of tokens) {
    try {
      const { payload } = await jwtVerify(token, keyOf, { algorithms: [TOKEN_ALG], typ: TOKEN_TYP });
      if (isTokenClaims(payload)) claims.set(token, payload);
    } catch {
      // One that does not verify claims nothing.
    }
  }
  return claims;
}

/** After every entry has its place: what the verification of the tenant's whole record says, and entries of these approvals without a place. */
async function findings({ db, keys, tenant }: Ground, ids: readonly string[]): Promise<string[]> {
  await sequence(db, keys, new Date().toISOString(), tenant);
  const report = await verifyStore(db, keys.trusted, tenant);
  const { rows } = await sql<{ approval_id: string; seq: number }>`
    select e.approval_id, e.seq from entries e left join log l on l.tenant = e.tenant and l.approval_id = e.approval_id and l.seq = e.seq
    where e.tenant = ${tenant} and e.approval_id = any(${ids}) and l.position is null`.execute(db);
  return [
    ...report.findings.map((finding) => JSON.stringify(finding)),
    ...rows.map(({ approval_id, seq }) => `entry ${String(seq)} of ${approval_id} has no place in the log`),
  ];
}

/** What somebody was told, and when it counted. */
interface Acknowledged {
  readonly approvalId: string;
  readonly person?: string;
  readonly answer: CommandAnswer;
}

export interface Trial {
  readonly store: { readonly db: Db; readonly keys: Keys };
  readonly client: Client;
  readonly tenant: string;
  /** Every request whose submission was acknowledged. */
  readonly approvals: readonly string[];
  readonly acknowledged: readonly Acknowledged[];
  /** Those of the approvals whose agent waits for a callback here. */
  readonly agent?: ReferenceAgent;
  /** False where the record is verified later, for several trials at once. */
  readonly verify?: boolean;
}

/** Everything that is wrong with a trial in one process; empty when the approvals all ended as they must. */
export async function contradictions({ store: { db, keys }, client, tenant, approvals, acknowledged, agent, verify = true }: Trial): Promise<string[]> {
  const own = new Set(approvals);
  const receivers = agent === undefined ? null : heardBy(agent, own);
  const tokens = (receivers ?? []).flatMap((line) => (line.wrote === 'acted' ? [line.token] : []));
  const held = await collect({ db, keys, client, tenant }, tokens, { only: approvals, verify });
  const digests = new Map(held.approvals.map(({ approvalId, actionDigest }) => [approvalId, actionDigest]));
  const keyOf = new Map(held.approvals.map(({ approvalId, key }) => [approvalId, key]));
  return violations({
    ...held,
    agents: approvals.flatMap((approvalId) => {
      const about = { key: keyOf.get(approvalId) ?? approvalId, actionDigest: digests.get(approvalId) ?? '' };
      return [
        { wrote: 'asks' as const, ...about },
        { wrote: 'acknowledged' as const, approvalId, ...about },
      ];
    }),
    people: acknowledged.map(({ approvalId, person, answer }): PersonLine => ({
      wrote: 'told',
      key: answer.commandId,
      approvalId,
      person: person ?? held.approvals.flatMap(({ commands }) => commands).find(({ commandId }) => commandId === answer.commandId)?.person ?? '',
      move: null,
      commandId: answer.commandId,
      accepted: answer.accepted,
      state: answer.state,
      seq: answer.seq,
      code: answer.refusal?.code ?? null,
    })),
    receivers,
    allReachable: true,
  });
}

/** The reference agent's journal in the judge's words. It executes nothing itself: it would, where the token allows. */
function heardBy({ calls, acts }: ReferenceAgent, own: ReadonlySet<string>): ReceiverLine[] {
  return [
    ...calls.filter(({ approvalId }) => own.has(approvalId)).map((call): ReceiverLine => ({ wrote: 'called', ...call })),
    ...acts
      .filter(({ approvalId }) => own.has(approvalId))
      .map(({ approvalId, outcome, token }): ReceiverLine => ({ wrote: 'acted', approvalId, outcome, executed: EXECUTABLE.includes(outcome), token })),
  ];
}
