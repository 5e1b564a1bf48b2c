/**
 * Submit: one transaction that validates, routes by the active policy, checks the evidence, records, and answers with the plan.
 * A plain function over the store, called by the API. Where the policy reads facts of providers, these are asked first, between two
 * transactions: a provider that is slow holds no lock, no connection and no place of another request.
 *
 * It promises: what is refused leaves nothing behind; what is answered is on the record; identity is the caller's key, unique
 * per tenant and agent; what the policy allows or blocks has ended when the answer is given. Must not import Temporal.
 */
import { randomBytes } from 'node:crypto';
import { sql, type Selectable, type Transaction } from 'kysely';
import { personOf, type Directory } from '../domain/directory';
import type { ApprovalEvent } from '../domain/events';
import type { Instant, Json, JsonObject } from '../domain/json';
import { INITIAL } from '../domain/state';
import type { ApprovalResult, State } from '../domain/outcome';
import { buildPacket } from '../domain/packet';
import type { Plan } from '../domain/plan';
import { REQUEST_BYTES_MAX, RequestSchema, type AgentIdentity, type RequestInput } from '../domain/request';
import { givenBy, issuesOfRequest, resolve, type CompiledPolicy, type RoutingInput } from '../policy';
import { canonical, digest } from '../record/canonical';
import { NO_HEAD } from '../record/entry';
import { pausesIn, pausesOf, type Pause } from '../record/store/intake';
import { lastPublished, whilePolicyHolds } from '../record/store/policies';
import type { Tables } from '../record/store/tables';
import { isOwnWorkflowId } from '../workflows/protocol';
import { addEntries, projectionOf, requestersOf, type Submitted } from './approvals';
import type { Deps } from './deps';
import { SubmitError, type Issue, type SubmitCode } from './errors';
import { checkUrl } from './egress/url';
import { otherThanPublished } from './active';
import { readRefusal } from './exception';
import { readAnswered } from './follows';
import { refuseWhilePaused } from './intake';
import type { Providers, Said } from './providers';
import { readRecent } from './recent';
import { resultOf, type Mint } from './result';

export interface SubmitDeps extends Deps {
  readonly mint: Mint;
  readonly providers: Providers;
  /** The active policy, compiled; throws {@link SubmitError} when there is none or it does not compile. */
  readonly policyOf: (trx: Transaction<Tables>, tenant: string, hash: string | null) => Promise<CompiledPolicy>;
  readonly directoryOf: (trx: Transaction<Tables>, tenant: string, hash: string | null) => Promise<Directory | null>;
}

export interface SubmitAnswer {
  readonly approvalId: string;
  /** True when this key had been used before with the same request. */
  readonly replayed: boolean;
  readonly state: State;
  readonly plan: Plan;
  readonly headline: string;
  readonly packetDigest: string;
  readonly actionDigest: string;
  /** Set when the policy allowed or blocked, or when a replayed request has ended. */
  readonly result: ApprovalResult | null;
  readonly meanwhile: { readonly agent: string; readonly operator: string };
  readonly needsWorkflow: boolean;
}

/** What one transaction of a submit comes to: the answer, or that providers have to be asked first, by this policy. */
export type Step = { readonly answer: SubmitAnswer } | { readonly ask: { readonly policy: CompiledPolicy; readonly now: Instant } };

/** Lets the store's part of a submit in, each time anew; while providers are asked, nothing is held. */
export type Admit = (step: () => Promise<Step>) => Promise<Step>;

export type Submit = (identity: AgentIdentity, idempotencyKey: string, request: unknown, admit?: Admit) => Promise<SubmitAnswer>;

/** What providers said, for the policy that wanted it. */
interface Asked extends Said {
  readonly policyHash: string;
}

export function createSubmit(deps: SubmitDeps): Submit {
  return async (identity, idempotencyKey, raw, admit = (step) => step()) => {
    const body = validate(raw);
    // Again only where another policy was published while providers were asked by the one before.
    for (let asked: Asked | null = null; ;) {
      const said: Asked | null = asked;
      const taken = await admit(() => stepOf(deps, identity, idempotencyKey, body, said));
      if ('answer' in taken) return taken.answer;
      const { policy, now } = taken.ask;
      asked = { policyHash: policy.hash, ...(await deps.providers.ask({ policy, identity, body, now })) };
    }
  };
}

async function stepOf(deps: SubmitDeps, identity: AgentIdentity, idempotencyKey: string, body: RequestInput, asked: Asked | null): Promise<Step> {
  const bodyDigest = digest(body as unknown as Json);
  return await deps.db.transaction().execute(async (trx) => {
    // Two submissions under one key wait for each other, so that the second finds the first.
    // Before that, and for as long as this takes, the policy that holds goes on holding.
    const key = `${identity.tenant}\n${identity.agent}\n${idempotencyKey}`;
    await sql`select ${whilePolicyHolds(identity.tenant)}, pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(trx);
    const found = await look(trx, identity, idempotencyKey);
    return found.earlier ? { answer: replay(found.earlier, bodyDigest) } : await create(deps, trx, identity, idempotencyKey, body, bodyDigest, found, asked);
  });
}

function validate(raw: unknown): RequestInput {
  const parsed = RequestSchema.safeParse(raw);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((i): Issue => ({ code: 'invalid_request', path: i.path.join('.'), message: i.message }));
    const first = issues[0];
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    throw new SubmitError('invalid_request', `The request is not well formed: ${first?.path || 'the body'}: ${first?.message ?? ''}${more}`, issues);
  }
  const bytes = new TextEncoder().encode(canonical(parsed.data as unknown as Json)).length;
  if (bytes > REQUEST_BYTES_MAX) {
    throw new SubmitError('too_large', `The request has ${bytes} bytes and ${REQUEST_BYTES_MAX} are allowed; name larger artifacts by digest`);
  }
  return parsed.data;
}

/** What the store knows before anything is decided, in one statement. */
interface Found {
  readonly at: Instant;
  /** What was submitted under the key before. */
  readonly earlier: Earlier | null;
  readonly policyHash: string | null;
  /** The one that the record says was published last. */
  readonly publishedHash: string | null;
  readonly directoryHash: string | null;
  readonly callbackHosts: readonly string[];
  /** Pauses of intake that hold. */
  readonly pauses: readonly Pause[];
}

type Earlier = Pick<Selectable<Tables['requests']>, 'approval_id' | 'body_digest' | 'plan' | 'packet_digest' | 'action_digest'> &
  Pick<Selectable<Tables['approvals']>, 'summary' | 'state' | 'result' | 'needs_workflow'>;

async function look(trx: Transaction<Tables>, { tenant, agent }: AgentIdentity, key: string): Promise<Found> {
  const earlier = trx
    .selectFrom('requests as r')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'r.tenant').onRef('a.approval_id', '=', 'r.approval_id'))
    .select(['r.approval_id', 'r.body_digest', 'r.plan', 'r.packet_digest', 'r.action_digest', 'a.summary', 'a.state', 'a.result', 'a.needs_workflow'])
    .where('r.tenant', '=', tenant)
    .where('r.agent', '=', agent)
    .where('r.idempotency_key', '=', key);
  const { rows } = await sql<{
    at: Instant;
    earlier: Earlier | null;
    policy: string | null;
    published: string | null;
    directory: string | null;
    hosts: readonly string[] | null;
    pauses: readonly Pause[];
  }>`
    select clock_timestamp() as at, (select to_jsonb(e) from (${earlier}) e) as earlier, h.policy_hash as policy, h.directory_hash as directory,
      ${lastPublished(tenant)} as published, ${pausesOf(tenant)} as pauses,
      (select callback_hosts from agents where tenant = ${tenant} and agent = ${agent}) as hosts
    from (values (1)) one left join active h on h.tenant = ${tenant}`.execute(trx);
  const [row] = rows;
  if (!row) throw new SubmitError('no_policy', `Nothing could be read of tenant ${tenant}`);
  return {
    at: row.at,
    earlier: row.earlier,
    policyHash: row.policy,
    publishedHash: row.published,
    directoryHash: row.directory,
    callbackHosts: row.hosts ?? [],
    pauses: pausesIn(row.pauses),
  };
}

function replay(earlier: Earlier, bodyDigest: string): SubmitAnswer {
  if (earlier.body_digest !== bodyDigest) {
    throw new SubmitError('key_reused', `The idempotency key was used for another request (${earlier.approval_id}); two different requests need two keys`);
  }
  const plan = earlier.plan as unknown as Plan;
  return {
    approvalId: earlier.approval_id,
    replayed: true,
    state: earlier.state as State,
    plan,
    headline: earlier.summary,
    packetDigest: earlier.packet_digest,
    actionDigest: earlier.action_digest,
    result: earlier.result as unknown as ApprovalResult | null,
    meanwhile: plan.meanwhile,
    needsWorkflow: earlier.needs_workflow,
  };
}

/** Which issue names the whole refusal: the first. */
function routingError(issues: readonly Issue[]): SubmitError {
  const first = issues[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return new SubmitError((first?.code ?? 'policy_broken') as SubmitCode, `${first?.message ?? 'The request could not be routed'}${more}`, issues);
}

async function create(
  deps: SubmitDeps,
  trx: Transaction<Tables>,
  identity: AgentIdentity,
  key: string,
  body: RequestInput,
  bodyDigest: string,
  found: Found,
  asked: Asked | null,
): Promise<Step> {
  const { tenant, agent } = identity;
  refuseWhilePaused(found.pauses, { agent, lanes: [] });
  checkCallback(deps, body, found.callbackHosts);
  checkWorkflow(body);
  if (found.policyHash !== found.publishedHash) throw otherThanPublished(found.policyHash, found.publishedHash);
  const policy = await deps.policyOf(trx, tenant, found.policyHash);
  const directory = await deps.directoryOf(trx, tenant, found.directoryHash);
  if (!directory) throw new SubmitError('no_directory', `Tenant ${tenant} has no valid directory, so nobody can be asked; publish one`);
  const now = deps.clock.now({ database: found.at, workflowTime: null });
  const excepted = await readRefusal(trx, identity, body);
  const input: RoutingInput = {
    action: body.action,
    facts: body.facts,
    ...(excepted ? { exception: excepted.refused } : {}),
    evidence: body.evidence.map((e) => e.name),
    requester: { agent, run: body.run, onBehalfOf: body.on_behalf_of ?? null },
    tenant,
  };
  if (asked?.policyHash !== policy.hash && givenBy(policy).length > 0) {
    const issues = issuesOfRequest(policy, input);
    if (issues.length > 0) throw routingError(issues);
    return { ask: { policy, now } };
  }
  const recent = await readRecent(trx, policy, { tenant, agent, body, now });
  const said = asked ? { provided: asked.provided, unavailable: asked.unavailable } : {};
  const routed = resolve(policy, { ...input, recent, ...said });
  if (!routed.ok) throw routingError(routed.issues);
  const { plan } = routed;
  refuseWhilePaused(found.pauses, { agent, lanes: [plan.lane, ...plan.signOffs.map(({ lane }) => lane)] });
  const follows = await readAnswered(trx, identity, body);
  const packet = buildPacket(body, plan, agent, { ...(excepted ? { exception: excepted.packet } : {}), ...(follows ? { follows } : {}) });
  const approvalId = `ap_${randomBytes(12).toString('hex')}`;
  const packetDigest = digest(packet as unknown as Json);
  const actionDigest = digest(body.action);
  const submitted: Submitted = { tenant, approvalId, agent, agentOwner: identity.owner, body, plan, packet, asSubmitted: packet, packetDigest, actionDigest };
  const ended = plan.effect === 'allow' || plan.effect === 'block';
  const requesters = requestersOf(submitted, directory).filter((id) => personOf(directory, id));
  const events = [requestedEvent(submitted, bodyDigest, requesters), routedEvent(submitted), ...(ended ? [endedAtOnce(plan)] : [])];
  const added = await addEntries(
    deps,
    trx,
    submitted,
    { state: INITIAL, head: NO_HEAD },
    now,
    events.map((event) => ({ event, commandId: null })),
  );
  const result = await resultOf(deps.mint, submitted, added.state);
  await trx
    .with('requested', (cte) =>
      cte.insertInto('requests').values({
        tenant,
        approval_id: approvalId,
        agent,
        idempotency_key: key,
        body_digest: bodyDigest,
        body: JSON.stringify(body),
        plan: JSON.stringify(plan),
        packet: JSON.stringify(packet),
        packet_digest: packetDigest,
        action_digest: actionDigest,
        created_at: now,
      }),
    )
    .insertInto('approvals')
    .values({
      ...projectionOf(submitted, added, directory, now, result),
      tenant,
      approval_id: approvalId,
      adopted: 0,
      summary: packet.headline,
      agent,
      tier: plan.tier,
      created_at: now,
      needs_workflow: !ended,
      workflow_started_at: null,
    })
    .execute();
  deps.log.info(
    { tenant, approvalId, agent, action: body.action.type, effect: plan.effect, rows: plan.rows.map((r) => r.id), policy: plan.policy.hash },
    'request submitted',
  );
  return {
    answer: {
      approvalId,
      replayed: false,
      state: added.state.state,
      plan,
      headline: packet.headline,
      packetDigest,
      actionDigest,
      result,
      meanwhile: plan.meanwhile,
      needsWorkflow: !ended,
    },
  };
}

/** A callback goes to a registered host and nowhere else; said at submit, and checked again at every attempt. */
function checkCallback(deps: SubmitDeps, body: RequestInput, registeredHosts: readonly string[]): void {
  if (body.resume.type !== 'callback') return;
  const problem = checkUrl(body.resume.url, { registeredHosts, allowLoopback: deps.allowLoopback });
  if (problem) throw new SubmitError('callback_not_allowed', problem.message, [{ code: problem.code, path: 'resume.url', message: problem.message }]);
}

/** Who asks is told by a message to the workflow that he names; Countersign's own are not his to send messages to. */
function checkWorkflow({ resume }: RequestInput): void {
  if (resume.type !== 'workflow' || !isOwnWorkflowId(resume.workflow_id)) return;
  const message = `resume.workflow_id names ${resume.workflow_id}, and workflows with such ids belong to Countersign; name the workflow of your agent that waits for the outcome`;
  throw new SubmitError('workflow_not_allowed', message, [{ code: 'workflow_not_allowed', path: 'resume.workflow_id', message }]);
}

const requestedEvent = ({ agent, body, actionDigest }: Submitted, requestDigest: string, requesters: readonly string[]): ApprovalEvent => ({
  type: 'requested',
  agent,
  run: body.run,
  actionType: body.action.type,
  system: body.action.system,
  summary: body.action.summary,
  reason: body.reason,
  onBehalfOf: body.on_behalf_of ?? null,
  customer: body.customer?.id ?? null,
  caseId: body.case ?? null,
  actionDigest,
  requestDigest,
  evidence: body.evidence.map((e) => e.name),
  ...(requesters.length > 0 ? { requesters } : {}),
  ...(body.follows === undefined ? {} : { follows: body.follows }),
  ...(body.exception ? { exceptionOf: body.exception.of, justification: body.exception.justification } : {}),
});

const routedEvent = ({ plan, packetDigest }: Submitted): ApprovalEvent => ({
  type: 'routed',
  policy: plan.policy,
  rows: plan.rows.map(({ id, why }) => ({ id, why })),
  effect: plan.effect,
  tier: plan.tier,
  lane: plan.lane,
  owner: plan.owner,
  signOffs: plan.signOffs.map((s) => s.id),
  planDigest: digest(plan as unknown as JsonObject),
  packetDigest,
  meanwhile: plan.meanwhile.agent,
  ...(plan.provided ? { provided: plan.provided } : {}),
  ...(plan.unavailable ? { unavailable: plan.unavailable } : {}),
  ...(plan.relative ? { relative: plan.relative } : {}),
});

function endedAtOnce(plan: Plan): ApprovalEvent {
  const rows = plan.rows.map((r) => r.id).join(', ');
  return plan.effect === 'allow'
    ? {
        type: 'ended',
        outcome: 'allowed',
        why: `Allowed by ${rows}`,
        end: null,
        deciders: [],
        conditions: {},
        next: { path: 'execute the action exactly as stated' },
        owed: [],
      }
    : { type: 'ended', outcome: 'blocked', why: `Blocked by ${rows}`, end: null, deciders: [], conditions: {}, next: { path: plan.onDeny.path }, owed: [] };
}
