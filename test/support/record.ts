/**
 * A small but whole record for tests: approvals with decisions that people signed, personal fields, publications, and a log in several batches.
 */
import type { ApprovalEvent } from '../../domain/events';
import type { JsonObject } from '../../domain/json';
import { commandVersion, type CommandBody, type Move } from '../../domain/moves';
import { digest } from '../../record/canonical';
import { NO_HEAD, type Head } from '../../record/entry';
import type { Keys } from '../../record/keys';
import { commandLabel, sign } from '../../record/signing';
import type { Db } from '../../record/store/database';
import { append } from '../../record/store/entries';
import { publishDirectory, publishPolicy } from '../../record/store/policies';
import { sequence } from '../../record/store/sequencer';

export const AT = '2026-11-21T09:30:00.000Z';
const LATER = '2026-11-21T10:00:00.000Z';

const body = (n: number): JsonObject => ({ action: { type: 'refund.issue', n }, reason: 'double charge' });

const requested = (n: number): ApprovalEvent => ({
  type: 'requested',
  agent: 'invoices',
  run: `run-${String(n)}`,
  actionType: 'refund.issue',
  system: 'billing',
  summary: `Refund Ada #${String(n)}`,
  reason: 'double charge — ünïcode 🙂',
  onBehalfOf: null,
  customer: 'ada@example.org',
  caseId: `case-${String(n)}`,
  actionDigest: digest(body(n)['action'] ?? null),
  requestDigest: digest(body(n)),
  evidence: ['invoice'],
});

const routed = (n: number): ApprovalEvent => ({
  type: 'routed',
  policy: { name: 'finance', version: '1', hash: 'p1' },
  rows: [{ id: 'refund', why: 'amount > usd(250)' }],
  effect: 'approval',
  tier: 'strong',
  lane: 'finance',
  owner: 'finance_manager',
  signOffs: ['1'],
  planDigest: digest({ plan: n }),
  packetDigest: digest({ packet: n }),
  meanwhile: 'hold_send',
});

/** `by`: where it is an agent that moves, or one act that moves many. */
export function proofFor(
  keys: Keys,
  tenant: string,
  approvalId: string,
  person: string,
  move: Move,
  commandId: string,
  by: Pick<CommandBody, 'agent' | 'bulk'> = {},
) {
  const v = commandVersion({ move, ...by });
  const body: CommandBody = {
    v,
    tenant,
    approvalId,
    commandId,
    person,
    ...by,
    move,
    packetDigest: 'c'.repeat(64),
    signedInAt: AT,
    issuedAt: AT,
    expiresAt: LATER,
  };
  const { packetDigest, signedInAt, issuedAt, expiresAt } = body;
  return {
    commandId,
    ...(by.bulk === undefined ? {} : { bulk: by.bulk }),
    packetDigest,
    signedInAt,
    issuedAt,
    expiresAt,
    signature: sign(keys.command, commandLabel(v), body as unknown as JsonObject),
    keyId: keys.command.keyId,
  };
}

type Item = { readonly event: ApprovalEvent; readonly commandId: string | null };

/** What was asked and what the policy said of it; then, in further commits, a person's decision, which claims first. */
function commits(keys: Keys, tenant: string, approvalId: string, n: number): readonly (readonly Item[])[] {
  const commandId = `command-${approvalId}`;
  const reason = `checked ${String(n)}`;
  const signed = (move: Move) => proofFor(keys, tenant, approvalId, 'maria', move, commandId);
  const approve = signed({ type: 'approve', reason });
  const deny = signed({ type: 'deny', reason });
  const take = signed({ type: 'take_over', reason });
  const give = { ...proofFor(keys, tenant, approvalId, 'maria', { type: 'hand_back', instructions: 'send half' }, `back-${approvalId}`) };
  const who = { by: 'maria', role: 'finance_manager' } as const;
  const decisions: readonly (readonly Item[])[][] = [
    [
      [
        { event: { type: 'claimed', ...who, implicit: true, proof: approve }, commandId },
        { event: { type: 'signed_off', signOff: '1', ...who, authority: 'full', reason, complete: true, directory: 'd1', proof: approve }, commandId: null },
      ],
    ],
    [[{ event: { type: 'denied', signOff: '1', ...who, reason, directory: 'd1', proof: deny }, commandId }]],
    [
      [{ event: { type: 'taken_over', ...who, reason, dueAt: LATER, directory: 'd1', owed: [], proof: take }, commandId }],
      [{ event: { type: 'handed_back', ...who, instructions: 'send half', proof: give }, commandId: `back-${approvalId}` }],
    ],
  ];
  return [
    [
      { event: requested(n), commandId: null },
      { event: routed(n), commandId: null },
      { event: { type: 'engine', what: 'started', why: 'submitted' }, commandId: null },
    ],
    ...(decisions[n % decisions.length] ?? []),
    [{ event: { type: 'takeover_lapsed', by: 'maria', dueAt: LATER }, commandId: null }],
  ];
}

async function writeRequest(db: Db, tenant: string, approvalId: string, n: number): Promise<void> {
  const action = digest(body(n)['action'] ?? null);
  const row = {
    tenant,
    approval_id: approvalId,
    agent: 'invoices',
    idempotency_key: approvalId,
    body_digest: digest(body(n)),
    packet_digest: digest({ packet: n }),
    action_digest: action,
    created_at: AT,
  };
  await db
    .insertInto('requests')
    .values({ ...row, body: JSON.stringify(body(n)), plan: JSON.stringify({ plan: n }), packet: JSON.stringify({ packet: n }) })
    .execute();
}

export async function projectHead(db: Db, tenant: string, approvalId: string, head: Head): Promise<void> {
  const row = {
    tenant,
    approval_id: approvalId,
    head: head.seq,
    head_hash: head.hash,
    adopted: 0,
    state: 'waiting',
    lane: 'finance',
    owner: null,
    level: '1',
    due_at: null,
    wake_at: null,
    result: null,
    summary: 's',
    agent: 'invoices',
    tier: 'strong',
    created_at: AT,
    updated_at: AT,
    needs_workflow: false,
    workflow_started_at: null,
  };
  await db
    .insertInto('approvals')
    .values(row)
    .onConflict((c) => c.columns(['tenant', 'approval_id']).doUpdateSet({ head: head.seq, head_hash: head.hash }))
    .execute();
}

/** Writes `count` approvals, placing what there is after every third; the last commits stay without a place. */
export async function writeRecord(db: Db, keys: Keys, tenant: string, count: number): Promise<void> {
  const meta = { tenant, by: 'maria', at: AT, record: keys.record };
  await publishPolicy(db, { hash: 'p1', name: 'finance', version: '1', files: [] }, meta);
  await publishDirectory(db, { hash: 'd1', text: '' }, meta);
  for (let n = 0; n < count; n += 1) {
    const approvalId = `approval-${String(n)}`;
    let head = NO_HEAD;
    await writeRequest(db, tenant, approvalId, n);
    for (const items of commits(keys, tenant, approvalId, n)) {
      ({ head } = await append(db, {
        tenant,
        approvalId,
        head,
        at: AT,
        items,
        context: { agent: 'invoices', policy: 'finance@1', personal: { customer: 'Ada' } },
        record: keys.record,
      }));
      await projectHead(db, tenant, approvalId, head);
      if (n < count - 2 && head.seq > 3 && n % 3 === 0) await sequence(db, keys, AT, tenant);
    }
  }
}
