/**
 * Moves of people, agents and operators as commit makes them true: who moves is who was signed, what was added is in the packet that a
 * decision names, and every entry that a move led to proves it offline.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { issueCommand } from '../../activities/commands';
import { readApproval } from '../../activities/approvals';
import { createCore, type Core } from '../../activities/core';
import { databaseClock } from '../../domain/clock';
import type { ApprovalEvent } from '../../domain/events';
import { instant, type Json } from '../../domain/json';
import { DECIDING, type CommandBody, type Move } from '../../domain/moves';
import type { RequestDraft } from '../../domain/request';
import { digest } from '../../record/canonical';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { verifyStore } from '../../record/store/export';
import type { CommandAnswer } from '../../workflows/protocol';
import { AGENT, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { TRIOS_POLICY, withTrios } from '../support/trios-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

const store = useStore();
let core: Core;
beforeAll(async () => {
  core = createCore({
    db: store.db,
    clock: databaseClock,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });
  await publish(store, TRIOS_POLICY, withTrios(DESK_DIRECTORY));
  await registerAgent(store.db, { ...AGENT, callbackHosts: [], callbackSecrets: [] });
});

async function ask(request: RequestDraft): Promise<string> {
  const { approvalId } = await core.submit(AGENT, randomUUID(), request);
  await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'open' }, workflowTime: Date.now() });
  return approvalId;
}

/** Of a person by id, or of an agent; on the packet as it stands unless told. */
async function move(approvalId: string, who: string | Pick<CommandBody, 'agent'>, said: Move, also: { readonly saw?: string; readonly bulk?: string } = {}) {
  const commandId = randomUUID();
  const now = instant(Date.now());
  const current = (await readApproval(store.db, TENANT, approvalId))?.packetDigest ?? null;
  const packetDigest = DECIDING.includes(said.type) ? (also.saw ?? current) : null;
  const by = typeof who === 'string' ? { person: who } : { person: '', ...who };
  await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, ...by, bulk: also.bulk, move: said, packetDigest, signedInAt: now, now });
  const { answer } = await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: Date.now() });
  if (!answer) throw new Error('It was not answered');
  return answer;
}
const does = async (...made: Parameters<typeof move>): Promise<CommandAnswer> => {
  const answer = await move(...made);
  expect([made[2].type, answer.refusal]).toEqual([made[2].type, null]);
  return answer;
};
const story = async (approvalId: string): Promise<ApprovalEvent[]> => (await readEvents(store.db, TENANT, approvalId)).map(({ event }) => event);
const approve = { type: 'approve', reason: 'ok' } as const;
const agent = { agent: AGENT.agent };

describe('an agent that moves', () => {
  it('adds evidence: the packet has another digest, and a decision on the one before says what was added since', async () => {
    const id = await ask(refund(48_000));
    const before = (await readApproval(store.db, TENANT, id))?.packetDigest ?? '';
    const evidence = { type: 'add_evidence', name: 'receipt', title: 'The receipt', content: 'USD 480' } as const;
    expect(await move(id, { agent: 'other-bot' }, evidence)).toMatchObject({ accepted: false, refusal: { code: 'not_the_agent' } });
    await does(id, agent, evidence);
    const now = await readApproval(store.db, TENANT, id);
    expect(now?.packet.added).toMatchObject([{ name: 'receipt', source: 'agent', by: 'refund-bot', content: 'USD 480' }]);
    expect(now?.packetDigest).toBe(digest(now?.packet as unknown as Json));
    expect(now?.packetDigest).not.toBe(before);
    const stale = await move(id, 'fay', approve, { saw: before });
    expect(stale).toMatchObject({ refusal: { code: 'stale_packet', message: expect.stringContaining('receipt') as string } });
    await does(id, 'fay', approve);
    expect((await story(id)).flatMap((e) => (e.type === 'refused' ? [[e.by, e.code]] : []))).toEqual([
      ['other-bot', 'not_the_agent'],
      ['fay', 'stale_packet'],
    ]);
  });

  it('answers what it was asked, and nothing that a person was', async () => {
    const id = await ask(refund(48_000));
    await does(id, 'fay', { type: 'ask', of: 'agent', question: 'Which order?' });
    await does(id, 'fay', { type: 'ask', of: 'cleo', question: 'May we?' });
    expect(await move(id, agent, { type: 'reply', question: 'q2', text: 'Yes' })).toMatchObject({ refusal: { code: 'not_asked' } });
    await does(id, agent, { type: 'reply', question: 'q1', text: 'Number 7' });
    await does(id, 'cleo', { type: 'reply', question: 'q2', text: 'We may' });
    expect((await readApproval(store.db, TENANT, id))?.packet.added).toMatchObject([
      { name: 'q1', source: 'agent' },
      { name: 'q2', source: 'person' },
    ]);
  });
});

describe('what is on the record of every move', () => {
  it('proves it offline: each entry that names who moved bears their signature, or the agent’s', async () => {
    const first = await ask(refund(48_000));
    await does(first, 'fay', { type: 'claim' }, { bulk: 'bulk-1' });
    await does(first, 'finn', { type: 'comment', text: 'I know them' }, { bulk: 'bulk-1' });
    await does(first, 'fay', { type: 'ask', of: 'cleo', question: 'May we?', sign_off: '1' });
    await does(first, 'cleo', { type: 'reply', question: 'q1', text: 'We may' });
    await does(first, agent, { type: 'add_evidence', name: 'receipt', title: 'The receipt', content: 'USD 480' });
    await does(first, 'fay', { type: 'reassign', to: 'finn', reason: 'He knows them' });
    await does(first, 'omar', { type: 'extend', minutes: 30, reason: 'He is in a meeting' });
    await does(first, 'finn', { type: 'take_over', reason: 'By hand' });
    await does(first, 'finn', { type: 'update', status: 'working', note: 'On it' });
    await does(first, 'finn', {
      type: 'update',
      status: 'blocked',
      note: 'The bank is closed',
      next_update_at: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z'),
    });
    await does(first, 'finn', { type: 'abandon', reason: 'Moot' });

    const second = await ask(actionOf('rule.bend'));
    await does(second, 'a0', { type: 'pass_up', reason: 'Above me' });
    await does(second, 'omar', { type: 'override', decision: 'deny', because: 'outage', reason: 'Nobody can be reached' });
    const third = await ask(actionOf('rule.bend'));
    await does(third, 'omar', { type: 'break_glass', reason: 'Fire' });

    const proven = new Set<string>();
    let proofs = 0;
    for (const id of [first, second, third])
      for (const event of await story(id))
        if ('proof' in event) {
          proven.add(event.type);
          proofs += 1;
        }
    expect([...proven].sort()).toEqual([
      'claimed',
      'commented',
      'evidence_added',
      'extended',
      'glass_broken',
      'information_asked',
      'information_given',
      'overridden',
      'passed_up',
      'reassigned',
      'resolved',
      'taken_over',
      'worked',
    ]);
    const others = (
      await store.db.selectFrom('entries').select(['approval_id', 'fields']).where('approval_id', 'not in', [first, second, third]).execute()
    ).filter(({ fields }) => Object.hasOwn(fields, 'proof')).length;
    expect(await verifyStore(store.db, store.keys.trusted, TENANT)).toMatchObject({
      ok: true,
      findings: [],
      signatures: { checked: proofs + others, uncheckable: 0 },
    });
  });
});
