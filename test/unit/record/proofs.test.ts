/**
 * Every move that leads to an entry with a proof can be checked from that entry alone: whoever made it, by one act on many too, and whether
 * or not it named what was clear without it. Nothing that the entry tells of the move can be told otherwise.
 */
import type { ApprovalEvent } from '../../../domain/events';
import type { CommandBody, Move } from '../../../domain/moves';
import { makeEntry, NO_HEAD, type PersonalField, type StoredEntry } from '../../../record/entry';
import { generateKeys } from '../../../record/keys';
import { nativeVerify } from '../../../record/store/signatures';
import { checkProofs, type ProofReport } from '../../../record/verify/proofs';
import { byApproval, entryKey } from '../../../record/verify/entries';
import { Findings } from '../../../record/verify/findings';
import { AT, proofFor } from '../../support/record';

const keys = generateKeys();
const TENANT = 'acme';
const LATER = '2026-11-21T11:00:00.000Z';
const by = { by: 'maria', role: 'cfo' } as const;
const on = { signOff: '2' } as const;
const d = { directory: 'd', owed: [] } as const;

/** As the store keeps them, sealed by the record key: who writes what was not signed has that key in all that follows. */
function check(events: readonly ApprovalEvent[], erased = false): ProofReport & { readonly found: number } {
  const entries: StoredEntry[] = [];
  const personal: PersonalField[] = [];
  let head = NO_HEAD;
  for (const event of events) {
    const made = makeEntry({ tenant: TENANT, approvalId: 'a', head, at: AT, event, commandId: null, context: {} }, keys.record, (n) => new Uint8Array(n));
    head = { seq: made.entry.seq, hash: made.entry.leaf };
    entries.push(made.entry);
    personal.push(...made.personal);
  }
  const apart = new Map(entries.map((e) => [entryKey('a', e.seq), erased ? [] : personal.filter((p) => p.seq === e.seq)]));
  const findings = new Findings();
  const report = checkProofs(byApproval(entries), apart, keys.trusted.command, nativeVerify, findings);
  return { ...report, found: findings.list().length };
}

interface Life {
  readonly name: string;
  readonly move: Move;
  readonly event: Record<string, unknown> & { readonly type: ApprovalEvent['type'] };
  readonly agent?: string;
}

const said: readonly Life[] = [
  { name: 'comment', move: { type: 'comment', text: 'Look' }, event: { type: 'commented', ...by, text: 'Look', owed: [] } },
  {
    name: 'ask',
    move: { type: 'ask', of: 'tom', question: 'Why?' },
    event: { type: 'information_asked', ...by, ...on, ...d, question: 'q1', of: 'tom', text: 'Why?', dueAt: LATER, left: null },
  },
  {
    name: 'ask about a named sign-off',
    move: { type: 'ask', of: 'tom', question: 'Why?', sign_off: '2' },
    event: { type: 'information_asked', ...by, ...on, ...d, question: 'q1', of: 'tom', text: 'Why?', dueAt: LATER, left: null },
  },
  {
    name: 'ask in a takeover, about a named sign-off all the same',
    move: { type: 'ask', of: 'tom', question: 'Why?', sign_off: '2' },
    event: { type: 'information_asked', ...by, ...d, signOff: '', question: 'q1', of: 'tom', text: 'Why?', dueAt: LATER, left: null },
  },
  {
    name: 'reply of a person',
    move: { type: 'reply', question: 'q1', text: 'So' },
    event: { type: 'information_given', by: 'maria', byAgent: false, question: 'q1', text: 'So', packetDigest: 'e', resumed: null, owed: [] },
  },
  {
    name: 'reply of the agent',
    agent: 'refund-bot',
    move: { type: 'reply', question: 'q1', text: 'So' },
    event: { type: 'information_given', by: 'refund-bot', byAgent: true, question: 'q1', text: 'So', packetDigest: 'e', resumed: null, owed: [] },
  },
  {
    name: 'add_evidence',
    agent: 'refund-bot',
    move: { type: 'add_evidence', name: 'receipt', title: 'The receipt', content: 'USD 5' },
    event: { type: 'evidence_added', by: 'refund-bot', name: 'receipt', title: 'The receipt', content: 'USD 5', packetDigest: 'e', owed: [] },
  },
  {
    name: 'reassign',
    move: { type: 'reassign', to: 'tom', reason: 'His' },
    event: { type: 'reassigned', ...by, ...on, ...d, from: 'maria', to: { person: 'tom', role: 'cfo' }, reason: 'His' },
  },
  { name: 'pass_up', move: { type: 'pass_up', reason: 'Too big' }, event: { type: 'passed_up', ...by, ...on, directory: 'd', level: 0, reason: 'Too big' } },
  {
    name: 'deny that ends nothing yet',
    move: { type: 'deny', reason: 'No' },
    event: { type: 'said_no', ...by, ...on, directory: 'd', level: 0, reason: 'No', then: 'next_level' },
  },
  {
    name: 'extend',
    move: { type: 'extend', minutes: 30, reason: 'Holiday', sign_off: '2' },
    event: { type: 'extended', ...by, ...on, from: AT, dueAt: LATER, minutes: 30, reason: 'Holiday', owed: [] },
  },
  {
    name: 'override, the first of two',
    move: { type: 'override', decision: 'approve', because: 'outage', reason: 'Nobody is there' },
    event: { type: 'override_proposed', ...by, ...d, decision: 'approve', because: 'outage', reason: 'Nobody is there' },
  },
  {
    name: 'override',
    move: { type: 'override', decision: 'deny', because: 'harm', reason: 'Stop' },
    event: { type: 'overridden', ...by, directory: 'd', decision: 'deny', because: 'harm', reason: 'Stop', first: null },
  },
  { name: 'break_glass', move: { type: 'break_glass', reason: 'Fire' }, event: { type: 'glass_broken', ...by, ...d, reason: 'Fire' } },
  {
    name: 'reopen_delivery',
    move: { type: 'reopen_delivery', owed_id: '4-0', reason: 'It is back' },
    event: { type: 'delivery_reopened', ...by, owedId: '4-0', reason: 'It is back' },
  },
  {
    name: 'update',
    move: { type: 'update', status: 'working', note: 'On it' },
    event: { type: 'worked', ...by, status: 'working', note: 'On it', dueAt: LATER, owed: [] },
  },
  {
    name: 'update with the next one',
    move: { type: 'update', status: 'blocked', note: 'Waiting', next_update_at: LATER },
    event: { type: 'worked', ...by, status: 'blocked', note: 'Waiting', dueAt: LATER, owed: [] },
  },
  { name: 'abandon', move: { type: 'abandon', reason: 'Moot' }, event: { type: 'resolved', ...by, result: 'Moot', how: 'abandoned' } },
  { name: 'resolve', move: { type: 'resolve', result: 'Done' }, event: { type: 'resolved', ...by, result: 'Done' } },
];

const planned = { type: 'routed', signOffs: ['1', '2'] } as unknown as ApprovalEvent;
const proven = ({ move, event, agent }: Life, also: Pick<CommandBody, 'bulk'> = {}): ApprovalEvent => {
  const proof = proofFor(keys, TENANT, 'a', agent === undefined ? 'maria' : '', move, 'command-1', { ...(agent === undefined ? {} : { agent }), ...also });
  return { ...event, proof } as unknown as ApprovalEvent;
};

/** Where in its entry each member of a move stands, by name of the move and of the member. */
const STANDS: { readonly [member: string]: string } = {
  'ask.question': 'text',
  'reopen_delivery.owed_id': 'owedId',
  'abandon.reason': 'result',
  'reassign.to': 'to',
};

it.each(said)('$name: checked from its entry alone', (life) => {
  expect(check([planned, proven(life)])).toEqual({ checked: 1, uncheckable: 0, found: 0 });
});

it.each(said)('$name: nothing that it says can be said otherwise, nor by anybody else', (life) => {
  const told = proven(life) as unknown as Record<string, unknown>;
  const members = Object.keys(life.move).filter((name) => name !== 'type' && name !== 'sign_off' && name !== 'next_update_at');
  const others = [...members.map((name) => STANDS[`${life.move.type}.${name}`] ?? name), 'by'];
  for (const name of others) {
    const value = told[name];
    expect(value).toBeDefined();
    const other = typeof value === 'number' ? value + 1 : typeof value === 'string' ? `${value}!` : { person: 'eve', role: 'cfo' };
    expect([name, check([planned, { ...told, [name]: other } as unknown as ApprovalEvent]).found]).toEqual([name, 1]);
  }
});

it('a person’s words are not the agent’s, nor the other way round', () => {
  const [person, agent] = ['reply of a person', 'reply of the agent'].map((name) => said.find((one) => one.name === name));
  for (const life of [person, agent]) {
    if (!life) throw new Error('There is no such life');
    const told = proven(life) as unknown as { readonly byAgent: boolean };
    expect(check([planned, { ...told, byAgent: !told.byAgent } as unknown as ApprovalEvent]).found).toBe(1);
  }
});

it('one act on many bears its name: without it, or with another, it is not what was signed', () => {
  const claim: Life = { name: 'claim', move: { type: 'claim' }, event: { type: 'claimed', ...by, implicit: false } };
  const told = proven(claim, { bulk: 'bulk-1' }) as unknown as { readonly proof: { readonly bulk?: string } };
  expect(check([planned, told as unknown as ApprovalEvent])).toMatchObject({ checked: 1, found: 0 });
  const { bulk: _, ...alone } = told.proof;
  expect(check([planned, { ...told, proof: alone } as unknown as ApprovalEvent]).found).toBe(1);
  expect(check([planned, { ...told, proof: { ...told.proof, bulk: 'bulk-2' } } as unknown as ApprovalEvent]).found).toBe(1);
});

it('what was erased leaves the signature uncheckable, and no finding', () => {
  const texts = said.filter(({ move }) => move.type !== 'ask').map((life) => proven(life));
  expect(check([planned, ...texts], true)).toEqual({ checked: 0, uncheckable: texts.length, found: 0 });
});
