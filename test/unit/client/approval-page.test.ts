/** The page of an approval that several sign at the same time: everyone who is asked, and the viewer's own move. */
import type { ApprovalRow } from '../../../client/api/reads';
import { approvalPage } from '../../../client/page/approval';
import { buildPacket } from '../../../domain/packet';
import type { Plan } from '../../../domain/plan';
import { RequestSchema } from '../../../domain/request';
import { actionOf } from '../../support/requests';
import { approve, claim, directoryOf, HOUR, level, MINUTE, Play, planOf, signOff, START } from '../../support/approval-play';

const plan: Plan = planOf({
  signOffs: [
    { ...signOff('1', [level('finance manager', 'finance_manager', 30)]), stage: 1 },
    { ...signOff('2', [level('security lead', 'security_lead', 60)]), lane: 'security', stage: 1 },
  ],
  onTimeout: {
    end: 'hold',
    hold: { role: 'cfo', forMs: HOUR, then: 'deny' },
    pauseWorkflow: { reason: 'r' },
    disableCredentials: [{ credential: 'crm', reason: 'r' }],
  },
});

/** What `who` sees, as text without tags. */
function page(play: Play, who: string): string {
  const directory = directoryOf();
  const person = directory.people[who];
  if (!person) throw new Error(`nobody is called ${who}`);
  const approval: ApprovalRow = {
    tenant: 'acme',
    approvalId: 'ap_1',
    agent: 'clerk',
    state: play.state.state,
    ended: play.state.ended !== null,
    headline: 'Change it',
    lane: 'finance',
    lanes: ['finance', 'security'],
    tier: plan.tier,
    level: '',
    owner: 'fay',
    owners: ['fay', 'sam'],
    dueAt: null,
    seq: play.state.seq,
    packetDigest: play.state.packetDigest,
    actionDigest: '',
    plan,
    packet: buildPacket(RequestSchema.parse(actionOf('config.change')), plan, 'clerk'),
    result: null,
    requesters: ['rita'],
    involved: [],
    questions: [],
    createdAt: START,
    updatedAt: START,
  };
  const viewer = { tenant: 'acme', person, directory, signedInAt: START, session: 's' };
  const { text } = approvalPage({
    approval,
    entries: play.record,
    state: play.state,
    directory,
    viewer,
    now: play.now,
    formToken: 't',
    nonce: 'n',
    answer: null,
  });
  return text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
}

it('names everyone who is asked, in which lane, until when, and what silence does besides', () => {
  const seen = page(new Play(plan).open(), 'fay');
  expect(seen).toContain('finance, security · tier lightweight');
  expect(seen).toMatch(/Asked Fay \(finance_manager\) .*Sign-off 1 of 2 in finance .*Asked Sam \(security_lead\) .*Sign-off 2 of 2 in security/);
  expect(seen).toContain('If nobody answers the request is held and cfo is paged; the agent is paused; the credential crm is disabled');
});

it('offers each their own move: a claim of one does not bind the other', () => {
  const play = new Play(plan).open();
  play.says('fay', claim);
  expect(page(play, 'sam')).toContain('Your move, as security_lead');
  expect(page(play, 'fay')).toContain('Your move, as finance_manager');
  expect(page(play, 'finn')).toContain('Somebody else has claimed it.');
  expect(page(play, 'omar')).toContain('It does not wait on a role of yours now.');
});

it('shows what was given and what is held side by side', () => {
  const play = new Play(plan).open();
  play.passes(30 * MINUTE);
  const held = page(play, 'cleo');
  expect(held).toMatch(/Held for Cleo \(cfo\) .*Then the request is denied; the agent is paused/);
  expect(held).toContain('Asked Sam (security_lead)');
  play.says('sam', approve());
  expect(page(play, 'cleo')).toContain('Given by Sam (security_lead).');
});
