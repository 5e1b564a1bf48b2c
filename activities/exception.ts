/**
 * The refusal that a request asks an exception to, as the record holds it.
 *
 * It promises: only an agent's own refusal, of exactly this action for this customer, which stands; one exception at a time.
 * Runs inside the caller's transaction. Must not import Temporal.
 */
import { sql, type Transaction } from 'kysely';
import type { JsonObject } from '../domain/json';
import type { Packet } from '../domain/packet';
import { OPEN_STATES, type ApprovalResult } from '../domain/outcome';
import type { Plan, Refused } from '../domain/plan';
import type { AgentIdentity, RequestInput } from '../domain/request';
import { canonical } from '../record/canonical';
import type { Tables } from '../record/store/tables';
import { SubmitError } from './errors';

export interface Excepted {
  readonly refused: Refused;
  readonly packet: NonNullable<Packet['exception']>;
}

/** Null where the request asks for none. Throws {@link SubmitError} `no_such_refusal` or `exception_taken`. */
export async function readRefusal(trx: Transaction<Tables>, identity: AgentIdentity, body: RequestInput): Promise<Excepted | null> {
  if (!body.exception) return null;
  const { of, justification } = body.exception;
  // Two exceptions to one refusal wait for each other, so that the second finds the first.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`exception\n${identity.tenant}\n${of}`}, 0))`.execute(trx);
  const earlier = await trx
    .selectFrom('requests as r')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'r.tenant').onRef('a.approval_id', '=', 'r.approval_id'))
    .select(['r.body', 'r.plan', 'a.state', 'a.result'])
    .where('r.tenant', '=', identity.tenant)
    .where('r.agent', '=', identity.agent)
    .where('r.approval_id', '=', of)
    .executeTakeFirst();
  const outcome = earlier?.state;
  // What is another agent's answers like what does not exist.
  if (!earlier || (outcome !== 'blocked' && outcome !== 'denied'))
    throw refusedWith('no_such_refusal', `${of} is no request of this agent that was blocked or denied; name the approval that refused it`);
  const before = earlier.body as unknown as RequestInput;
  // Whoever makes an exception sees what was refused: that has to be what is asked for now, in whatever words.
  if (before.customer?.id !== body.customer?.id || canonical(wordless(before.action)) !== canonical(wordless(body.action)))
    throw refusedWith(
      'no_such_refusal',
      `${of} refused another action (its type, params, system, audience, data or reversibility), or another customer; an exception is to exactly what was refused`,
    );
  await oneAtATime(trx, identity, of);
  const plan = earlier.plan as unknown as Plan;
  const result = earlier.result as unknown as ApprovalResult;
  return {
    refused: {
      of,
      outcome,
      rows: plan.rows.filter((row) => row.effect === plan.effect).map((row) => row.id),
      ...(result.deciders.length === 0 ? {} : { by: result.deciders.map(({ person, role }) => ({ person, role })) }),
    },
    packet: { of, outcome, why: result.reason, at: result.decidedAt, by: result.deciders.map((d) => `${d.person} (${d.role})`), justification },
  };
}

/** What an action does, without how it is put and what is attached to look at. */
const wordless = ({ type, params, system, reversibility, audience, data }: RequestInput['action']): JsonObject => ({
  type,
  params,
  system,
  reversibility,
  audience: { ...audience },
  data: data.toSorted(),
});

/** A second exception to one refusal, while the first is open or once it was answered, would be asking until somebody says yes. */
async function oneAtATime(trx: Transaction<Tables>, { tenant, agent }: AgentIdentity, of: string): Promise<void> {
  const taken = await trx
    .selectFrom('requests as r')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'r.tenant').onRef('a.approval_id', '=', 'r.approval_id'))
    .select('r.approval_id')
    .where('r.tenant', '=', tenant)
    .where('r.agent', '=', agent)
    .where(sql<boolean>`r.body #>> '{exception,of}' = ${of}`)
    .where('a.state', 'in', [...OPEN_STATES, 'approved', 'approved_with_conditions', 'resolved_by_person', 'handed_back', 'denied'])
    .executeTakeFirst();
  if (taken)
    throw refusedWith('exception_taken', `${taken.approval_id} already asks for an exception to ${of}, or was answered; one refusal is put to people once`);
}

const refusedWith = (code: 'no_such_refusal' | 'exception_taken', message: string): SubmitError =>
  new SubmitError(code, message, [{ code, path: 'exception.of', message }]);
