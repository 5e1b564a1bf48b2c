/**
 * The answered escalation that a request goes on from, as the record holds it: whoever decides sees what a person supplied beside
 * what the agent claims. It gives no fact any other weight.
 *
 * It promises: only an agent's own, and only one that ended with an answer. Runs inside the caller's transaction. Must not import Temporal.
 */
import type { Transaction } from 'kysely';
import type { ApprovalResult } from '../domain/outcome';
import type { Packet } from '../domain/packet';
import type { AgentIdentity, RequestInput } from '../domain/request';
import type { Tables } from '../record/store/tables';
import { SubmitError } from './errors';

/** Null where the request follows none. Throws {@link SubmitError} `no_such_answer`. */
export async function readAnswered(trx: Transaction<Tables>, { tenant, agent }: AgentIdentity, body: RequestInput): Promise<Packet['follows'] | null> {
  const { follows } = body;
  if (follows === undefined) return null;
  const earlier = await trx
    .selectFrom('requests as r')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'r.tenant').onRef('a.approval_id', '=', 'r.approval_id'))
    .select('a.result')
    .where('r.tenant', '=', tenant)
    .where('r.agent', '=', agent)
    .where('r.approval_id', '=', follows)
    .where('a.state', '=', 'answered')
    .executeTakeFirst();
  // What is another agent's answers like what does not exist.
  if (!earlier) {
    const message = `${follows} is no escalation of this agent that ended with an answer; name the one that did, or leave it out`;
    throw new SubmitError('no_such_answer', message, [{ code: 'no_such_answer', path: 'follows', message }]);
  }
  // Written by commit from this very type.
  const { deciders, decidedAt, next } = earlier.result as unknown as ApprovalResult;
  return { of: follows, at: decidedAt, by: deciders.map((d) => `${d.person} (${d.role})`), facts: next.facts ?? {} };
}
