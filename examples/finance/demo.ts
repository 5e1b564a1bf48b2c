/**
 * `npm run demo`: an agent finds an invoice that differs from its order and asks; three times, with three endings.
 * Unattended and against the real parts; ends with 0 only if every ending is the expected one.
 */
import { join } from 'node:path';
import type { Move } from '../../domain/moves';
import type { Outcome } from '../../domain/outcome';
import type { RequestDraft } from '../../domain/request';
import { startAgent, type Acted, type Agent } from '../http-agent/agent';
import { door, personAt, sleep, timelineOf, type TimelineEntry } from '../support/people';
import { workflowsOf } from '../support/engine';
import { runProgram, unlessAborted, type Say } from '../support/program';
import { ROOT, startStack, type Stack } from '../support/stack';
import { inWords } from './words';

const SCALE = 300;
const LOOK_EVERY_MS = 250;
const END_WITHIN_MS = 3 * 60_000;

const CUSTOMER = { id: 'brightlamps', name: 'Bright Lamps', email: 'billing@brightlamps.example' };

interface Scene {
  readonly title: string;
  readonly invoice: string;
  /** Who answers, at which level, and what; nobody if left out. */
  readonly answer?: { readonly who: string; readonly at: string; readonly move: Move };
  readonly ends: Outcome;
  /** What must be found at the end beside the outcome, and how it is said; each fails if it is not there. */
  readonly also: readonly Check[];
}

interface Ended {
  readonly stack: Stack;
  readonly approvalId: string;
  readonly timeline: readonly TimelineEntry[];
  readonly acted: Acted;
  /** 1, 2, 3. */
  readonly scene: number;
}

type Check = (ended: Ended) => Promise<{ readonly right: boolean; readonly said: string }>;

const agentDid =
  (wanted: RegExp): Check =>
  async ({ acted: { did, reason } }) => ({ right: wanted.test(did), said: `The agent ${did} (it logged: ${reason})` });

const closed: Check = async ({ stack, approvalId, scene }) => {
  const workflow = (await workflowsOf(stack, scene)).find(({ id }) => id.endsWith(approvalId));
  return { right: workflow?.status === 'COMPLETED', said: `Its workflow in Temporal: ${workflow?.status ?? 'missing'}` };
};

const asked =
  (...names: readonly string[]): Check =>
  async ({ timeline }) => {
    const levels = timeline.flatMap(({ event }) => (event.type === 'level_opened' ? [event.name] : []));
    return { right: levels.join() === names.join(), said: `Asked in turn: ${levels.join(', then ')}` };
  };

const ticket: Check = async ({ stack, approvalId }) => {
  const tickets = await (await personAt(stack.apiUrl, 'maya_lindt')).tickets();
  const found = tickets.find((each) => each.approval_id === approvalId);
  return found
    ? {
        right: found.state === 'open' && found.queue === 'manual-review',
        said: `GET /v1/tickets: "${found.title}", ${found.state}, queue ${found.queue}, owner ${found.owner}`,
      }
    : { right: false, said: 'GET /v1/tickets: no ticket' };
};

const mailTo =
  (address: string, what: RegExp): Check =>
  async ({ stack, approvalId }) => {
    const mails = (await stack.mails()).filter(({ to }) => to === address);
    const found = mails.find(({ subject, text }) => what.test(`${subject}\n${text}`));
    return found ? { right: true, said: `Mail to ${found.to}: "${found.subject}"` } : { right: false, said: `No such mail to ${address} about ${approvalId}` };
  };

const SCENES: readonly Scene[] = [
  {
    title: 'Nobody answers',
    invoice: 'INV-1042',
    ends: 'expired',
    also: [asked('finance manager', 'CFO'), agentDid(/^took no action/), ticket, mailTo(CUSTOMER.email, /under review/)],
  },
  {
    title: 'The finance manager is silent, the CFO approves',
    invoice: 'INV-1043',
    answer: { who: 'elena_costa', at: 'CFO', move: { type: 'approve', reason: 'The price rise was agreed in October' } },
    ends: 'approved',
    also: [asked('finance manager', 'CFO'), agentDid(/^executed the action/)],
  },
  {
    title: 'The finance manager denies',
    invoice: 'INV-1044',
    answer: { who: 'maya_lindt', at: 'finance manager', move: { type: 'deny', reason: 'Ten lamps were ordered and eight came' } },
    ends: 'denied',
    also: [
      asked('finance manager'),
      agentDid(/^took no action: log the reason, tell the requester, end the run/),
      mailTo('ravi.menon@company.example', /Ten lamps were ordered/),
    ],
  },
];

const request = (invoice: string): RequestDraft => ({
  action: {
    type: 'invoice.pay',
    summary: `Pay invoice ${invoice} of Bright Lamps although it is USD 480.00 above its order`,
    system: 'ledger',
    reversibility: 'hard',
    params: { invoice_id: invoice, supplier: 'Bright Lamps', invoiced: { minor: 148_000, currency: 'USD' }, ordered: { minor: 100_000, currency: 'USD' } },
    audience: { reach: 'one_customer', count: 1 },
  },
  run: `invoices-${invoice}`,
  customer: CUSTOMER,
  case: invoice,
  reason: 'The invoice is USD 480.00 above the purchase order, and the agent may not decide that alone',
  evidence: [
    { name: 'invoice', title: `Invoice ${invoice}`, source: 'customer', content: '10 desk lamps at USD 148.00: USD 1,480.00' },
    { name: 'purchase_order', title: 'Purchase order PO-77', source: 'system', content: '10 desk lamps at USD 100.00: USD 1,000.00' },
  ],
  resume: { type: 'poll' },
});

export async function runDemo(say: Say, signal?: AbortSignal): Promise<boolean> {
  say('An agent pays invoices. One differs from its order, so it pauses and asks; people have 30 minutes and 2 hours.');
  say(`Time runs ${SCALE} times faster here: 30 minutes are ${1800 / SCALE} seconds. Only development allows that.`);
  const stack = await startStack({ policy: join(ROOT, 'examples', 'finance', 'policy'), scale: SCALE, say, ...(signal ? { signal } : {}) });
  try {
    const right = await unlessAborted(signal, play(stack, say));
    if (!right) for (const line of stack.complaints()) say(line);
    return right;
  } finally {
    await stack.stop();
  }
}

async function play(stack: Stack, say: Say): Promise<boolean> {
  const { key, secret } = stack.agent;
  const agent = await startAgent({ apiUrl: stack.apiUrl, key, secret, journal: join(stack.dir, 'invoice-agent.jsonl') });
  try {
    let right = true;
    for (const [i, scene] of SCENES.entries()) {
      say(`\n== ${i + 1}. ${scene.title}`);
      if (!(await playScene(stack, agent, scene, i + 1, say))) right = false;
    }
    return summary(agent, right, say);
  } finally {
    await agent.stop();
  }
}

async function playScene(stack: Stack, agent: Agent, { invoice, answer, ends, also }: Scene, scene: number, say: Say): Promise<boolean> {
  const { resume: _resume, ...body } = request(invoice);
  const { approvalId, meanwhile } = await agent.submit(body, `pay-${invoice}`);
  say(`The agent asked, and pauses (meanwhile: ${meanwhile.agent}).`);
  const [timeline, acted] = await Promise.all([
    follow(stack, approvalId, say),
    agent.waitFor(approvalId, END_WITHIN_MS),
    answer ? decide(stack, approvalId, answer) : null,
  ]);
  const checks = await Promise.all([...also, closed].map((check) => check({ stack, approvalId, timeline, acted, scene })));
  const all = [{ right: acted.outcome === ends, said: `It ended as ${acted.outcome}` }, ...checks];
  for (const { right, said } of all) say(`${right ? '  ok    ' : '  WRONG '}${said}`);
  return all.every(({ right }) => right);
}

/** Prints each entry as it comes, until everything that is owed after the end has been done. */
async function follow(stack: Stack, approvalId: string, say: Say): Promise<readonly TimelineEntry[]> {
  const reader = door(stack.apiUrl, stack.agent.key);
  for (let shown = 0, until = Date.now() + END_WITHIN_MS; ; await sleep(LOOK_EVERY_MS)) {
    const entries = await timelineOf(reader, approvalId);
    for (const line of entries.slice(shown).map(inWords)) if (line !== null) say(line);
    shown = entries.length;
    const owed = entries.flatMap(({ event }) => (event.type === 'ended' ? [event.owed.length] : []));
    const settled = entries
      .slice(entries.findIndex(({ event }) => event.type === 'ended'))
      .filter(({ event }) => event.type === 'attempted' && event.status !== 'failed_for_now').length;
    if ((owed[0] !== undefined && settled >= owed[0]) || Date.now() > until) return entries;
  }
}

/** The person looks now and then at what waits on them, as on any working day. */
async function decide({ apiUrl }: Stack, approvalId: string, { who, at, move }: NonNullable<Scene['answer']>): Promise<void> {
  const person = await personAt(apiUrl, who);
  for (const until = Date.now() + END_WITHIN_MS; Date.now() < until; await sleep(LOOK_EVERY_MS)) {
    const approval = (await person.open('waiting')).find((each) => each.approval_id === approvalId && each.level === at);
    if (approval) return await person.decide(approval, move);
  }
}

function summary(agent: Agent, right: boolean, say: Say): boolean {
  const called = agent.outcomes().filter(({ messageId }) => messageId !== null);
  const others = agent.entries().filter(({ type }) => type === 'turned_away' || type === 'replayed').length;
  say('\n== What the agent received');
  for (const { approvalId, outcome, messageId, tokenId } of called)
    say(`  ${approvalId}: ${outcome}; callback ${messageId ?? ''} and decision token ${tokenId} verified`);
  const whole = right && called.length === SCENES.length && others === 0;
  say(
    whole
      ? `\n${called.length} callbacks verified, each received once. Every ending is the expected one.`
      : '\nNot every ending is the expected one: see WRONG above.',
  );
  return whole;
}

if (require.main === module) runProgram(runDemo);
