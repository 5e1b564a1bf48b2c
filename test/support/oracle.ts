/**
 * The judge of the fault tests. Compares what people were told, what the agent received and did, what the store holds and how the
 * workflows ended, and names every contradiction in a sentence. It trusts none of the parts it compares.
 */
import type { Client } from '@temporalio/client';
import { isOutcome, type ApprovalResult, type State } from '../../domain/outcome';
import { readEvents } from '../../record/store/entries';
import { sequence } from '../../record/store/sequencer';
import { verifyStore } from '../../record/store/export';
import { approvalWorkflowId, type CommandAnswer } from '../../workflows/protocol';
import type { ReferenceAgent } from './reference-agent';
import type { TestStore } from './store';

/** What somebody was told, and when it counted. */
interface Acknowledged {
  readonly approvalId: string;
  readonly answer: CommandAnswer;
}

export interface Trial {
  readonly store: TestStore;
  readonly client: Client;
  readonly tenant: string;
  /** Every request whose submission was acknowledged. */
  readonly approvals: readonly string[];
  readonly acknowledged: readonly Acknowledged[];
  /** Those of the approvals whose agent waits for a callback here. */
  readonly agent?: ReferenceAgent;
}

/** Everything that is wrong; empty when the approvals all ended as they must. */
export async function contradictions(trial: Trial): Promise<string[]> {
  const found = (await Promise.all(trial.approvals.map((id) => ofApproval(trial, id)))).flat();
  for (const { approvalId, answer } of trial.acknowledged) {
    if (!trial.approvals.includes(approvalId)) found.push(`${approvalId}: acknowledged, but not one of the trial`);
    const row = await trial.store.db
      .selectFrom('answers')
      .select('answer')
      .where('tenant', '=', trial.tenant)
      .where('command_id', '=', answer.commandId)
      .executeTakeFirst();
    if (JSON.stringify(row?.answer) !== JSON.stringify(sorted(answer, row?.answer)))
      found.push(`${approvalId}: ${answer.commandId} was answered ${JSON.stringify(answer)}, the record says ${JSON.stringify(row?.answer)}`);
  }
  await sequence(trial.store.db, trial.store.keys, new Date().toISOString());
  const report = await verifyStore(trial.store.db, trial.store.keys.trusted, trial.tenant);
  return [...found, ...report.findings.map((finding) => `record: ${JSON.stringify(finding)}`)];
}

/** The same object with the other's order of keys: JSON columns keep their own. */
const sorted = (value: CommandAnswer, like: unknown): unknown =>
  typeof like === 'object' && like !== null
    ? Object.fromEntries(
        [...Object.keys(like), ...Object.keys(value).filter((k) => !(k in like))].map((k) => [
          k,
          sortedField(value[k as keyof CommandAnswer], like[k as keyof typeof like]),
        ]),
      )
    : value;

const sortedField = (value: unknown, like: unknown): unknown =>
  typeof value === 'object' && value !== null && typeof like === 'object' && like !== null
    ? Object.fromEntries(Object.keys(like).map((k) => [k, value[k as keyof typeof value]]))
    : value;

async function ofApproval({ store, client, tenant, acknowledged, agent }: Trial, approvalId: string): Promise<string[]> {
  const found: string[] = [];
  const claim = (holds: boolean, sentence: string): void => {
    if (!holds) found.push(`${approvalId}: ${sentence}`);
  };
  const entries = await readEvents(store.db, tenant, approvalId);
  const row = await store.db
    .selectFrom('approvals')
    .select(['head', 'state', 'result'])
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .executeTakeFirstOrThrow();
  claim(
    entries.every(({ seq }, i) => seq === i + 1),
    `entries are not contiguous: ${entries.map((e) => e.seq).join(' ')}`,
  );
  claim(row.head === entries.length, `the head is ${row.head} and there are ${entries.length} entries`);
  const ends = entries.filter(({ event }) => event.type === 'ended');
  claim(ends.length === 1, `it has ${ends.length} ends`);
  claim(isOutcome(row.state as State) && row.result !== null, `it stands at ${row.state}`);
  const result = row.result as unknown as ApprovalResult | null;
  const end = ends[0]?.event;
  claim(
    end?.type === 'ended' && end.outcome === result?.outcome,
    `the entry says ${end?.type === 'ended' ? end.outcome : 'nothing'}, the result ${result?.outcome ?? 'nothing'}`,
  );
  const opened = entries.flatMap(({ event }) => (event.type === 'level_opened' ? [`${event.signOff}/${event.level}`] : []));
  claim(new Set(opened).size === opened.length, `a level was opened twice: ${opened.join(' ')}`);

  const ofWorkflow = (await client.workflow.getHandle(approvalWorkflowId(tenant, approvalId)).result()) as ApprovalResult;
  claim(ofWorkflow.token === result?.token, 'the workflow ended with another result than the record');

  for (const { answer } of acknowledged.filter((a) => a.approvalId === approvalId)) {
    const entry = entries.find(({ seq }) => seq === answer.seq);
    claim(entry !== undefined, `the acknowledged ${answer.commandId} has no entry ${answer.seq}`);
    claim(answer.accepted || answer.refusal !== null, `the answer to ${answer.commandId} is neither yes nor no`);
  }
  const undone = await store.db
    .selectFrom('deliveries')
    .select(['owed_id', 'kind', 'status'])
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .where('status', 'not in', ['done', 'superseded'])
    .execute();
  claim(undone.length === 0, `still owed: ${undone.map((d) => `${d.kind} ${d.status}`).join(', ')}`);

  if (agent) {
    const ids = new Set(agent.calls.filter((call) => call.approvalId === approvalId).map((call) => call.messageId));
    const acts = agent.acts.filter((act) => act.approvalId === approvalId);
    claim(ids.size === 1, `the agent got ${ids.size} different messages`);
    claim(acts.length === 1, `the agent acted ${acts.length} times`);
    claim(acts[0]?.token === result?.token, 'the agent acted on another result than the record');
  }
  return found;
}
