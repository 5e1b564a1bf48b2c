/**
 * A small stage for the state machine: a finance team, a plan with two rungs, and a play in which people move and time passes.
 * Everything is an argument, so a play is the same on every machine.
 * Must not import anything but the domain, and the digest that it may use.
 */
import { decide, type Decision } from '../../domain/decide';
import type { Context } from '../../domain/ladder';
import type { Directory, Person } from '../../domain/directory';
import type { ApprovalEvent, EventType } from '../../domain/events';
import { after, ms, type Instant } from '../../domain/json';
import { commandVersion, type Command, type Move, type Refusal } from '../../domain/moves';
import type { Level, Plan, SignOff } from '../../domain/plan';
import { apply, INITIAL, type ApprovalState, type Recorded } from '../../domain/state';
import { digest } from '../../record/canonical';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** A Monday morning. */
export const START: Instant = '2026-11-23T09:00:00.000Z';
export const PACKET = 'a'.repeat(64);

export const person = (id: string, roles: readonly string[], absences: Person['absences'] = []): Person => ({
  id,
  name: id.charAt(0).toUpperCase() + id.slice(1),
  email: `${id}@example.com`,
  roles,
  absences,
});

/** Fay and Finn hold finance_manager, Cleo and Carl cfo, Sam security, Omar operations; Rita asks. */
export const TEAM: readonly Person[] = [
  person('fay', ['finance_manager']),
  person('finn', ['finance_manager']),
  person('cleo', ['cfo']),
  person('carl', ['cfo']),
  person('both', ['controller', 'treasurer']),
  person('sam', ['security_lead']),
  person('omar', ['operations']),
  person('rita', ['finance_manager', 'cfo']),
];

export const directoryOf = (
  people: readonly Person[] = TEAM,
  duty: Directory['duty'] = { finance_manager: ['fay', 'finn'], cfo: ['cleo', 'carl'] },
): Directory => ({
  hash: 'd'.repeat(64),
  people: Object.fromEntries(people.map((p) => [p.id, p])),
  duty,
});

export const level = (name: string, role: string, minutes: number, reminders: readonly number[] = []): Level => ({
  name,
  role,
  withinMs: minutes * MINUTE,
  calendar: null,
  channels: ['email'],
  reminders,
});

export const signOff = (id: string, ladder: readonly Level[], quorum = 1): SignOff => ({
  id,
  lane: 'finance',
  role: ladder[0]?.role ?? '',
  quorum,
  ladder,
  rows: ['refund'],
});

/** The finance example: the manager has 30 minutes, then the CFO has two hours, then it expires. */
export const LADDER: readonly Level[] = [level('finance manager', 'finance_manager', 30, [0.5]), level('CFO', 'cfo', 120)];

export const planOf = (patch: Partial<Plan> = {}): Plan => ({
  policy: { name: 'finance', version: '1', hash: 'b'.repeat(64) },
  effect: 'approval',
  rows: [],
  tier: 'lightweight',
  risk: 'money',
  urgency: 'normal',
  lane: 'finance',
  owner: 'finance_manager',
  signOffs: [signOff('1', LADDER)],
  amount: null,
  authority: {},
  meanwhile: { agent: 'park_item', operator: 'look at the invoice' },
  evidence: [],
  onTimeout: { end: 'expire' },
  onDeny: { path: 'log the reason and end the run', tellRequester: true },
  takeoverMs: HOUR,
  samePersonAllowed: false,
  instruction: 'Check the invoice.',
  ...patch,
});

export interface Saying {
  readonly packetDigest?: string | null;
  readonly signedInAgo?: number;
  /** How long the command lay before it was committed. */
  readonly issuedAgo?: number;
  readonly expiresAt?: Instant;
  /** Said by an agent of this name; nobody's person then. */
  readonly agent?: string;
  /** One act on many. */
  readonly bulk?: string;
}

/** One approval, played move by move. Keeps what would be on the record. */
export class Play {
  now: Instant = START;
  state: ApprovalState = INITIAL;
  readonly record: Recorded[] = [];
  private context: Context;
  private moves = 0;

  constructor(plan: Plan = planOf(), patch: Partial<Context> = {}) {
    this.context = {
      now: START,
      plan,
      directory: directoryOf(),
      requesters: ['rita'],
      resume: { type: 'callback', url: 'https://agent.example/resume' },
      hasCustomerAddress: true,
      hasRequesterAddress: true,
      agent: 'clerk',
      dueAt: (now, withinMs) => after(now, withinMs),
      workingBetween: (from, to) => Math.max(0, ms(to) - ms(from)),
      calendars: plan.calendars ?? {},
      digestOf: (added) => (added.length === 0 ? PACKET : digest({ made: PACKET, added: added.map((one) => ({ ...one })) })),
      ...patch,
    };
    this.write([
      {
        type: 'requested',
        agent: 'clerk',
        run: 'run-1',
        actionType: 'refund.issue',
        system: 'ledger',
        summary: 'Refund an order',
        reason: 'the parcel was lost',
        onBehalfOf: null,
        customer: null,
        caseId: null,
        actionDigest: 'c'.repeat(64),
        requestDigest: 'e'.repeat(64),
        evidence: [],
      },
      {
        type: 'routed',
        policy: plan.policy,
        rows: [],
        effect: plan.effect,
        tier: plan.tier,
        lane: plan.lane,
        owner: plan.owner,
        signOffs: plan.signOffs.map((s) => s.id),
        planDigest: 'f'.repeat(64),
        packetDigest: PACKET,
        meanwhile: 'park_item',
      },
    ]);
  }

  private write(events: readonly ApprovalEvent[]): void {
    for (const event of events) {
      const entry: Recorded = { seq: this.state.seq + 1, at: this.now, event };
      this.record.push(entry);
      this.state = apply(this.state, entry);
    }
  }

  /** Commits a command as the store would: events are recorded, a refusal is returned. */
  send(command: Command): Decision {
    const decision = decide(this.state, command, { ...this.context, now: this.now });
    if ('events' in decision) this.write(decision.events);
    return decision;
  }

  /** The workflow has begun. */
  open(): this {
    this.send({ type: 'open' });
    return this;
  }

  /** Time passes, and the clock knocks once. */
  passes(milliseconds: number): readonly EventType[] {
    this.now = after(this.now, milliseconds);
    return types(this.send({ type: 'clock' }));
  }

  /** Time stands at an instant, and the clock knocks once. */
  comes(at: Instant): readonly EventType[] {
    return this.passes(ms(at) - ms(this.now));
  }

  withdrawn(by = 'clerk', reason = 'no longer wanted'): readonly EventType[] {
    return types(this.send({ type: 'withdraw', by, reason }));
  }

  says(who: string, move: Move, how: Saying = {}): Decision {
    this.moves += 1;
    const id = `command-${this.moves}`;
    const said = { ...(how.agent === undefined ? {} : { agent: how.agent }), ...(how.bulk === undefined ? {} : { bulk: how.bulk }) };
    return this.send({
      type: 'move',
      id,
      signature: `signature-${this.moves}`,
      keyId: 'key-1',
      body: {
        v: commandVersion({ move, ...said }),
        tenant: 'acme',
        approvalId: 'apr-1',
        commandId: id,
        person: how.agent === undefined ? who : '',
        ...said,
        move,
        packetDigest: how.packetDigest === undefined ? this.state.packetDigest || PACKET : how.packetDigest,
        signedInAt: after(this.now, -(how.signedInAgo ?? MINUTE)),
        issuedAt: after(this.now, -(how.issuedAgo ?? 0)),
        expiresAt: how.expiresAt ?? after(this.now, MINUTE),
      },
    });
  }

  /** People come and go, roles change hands. */
  directory(directory: Directory): this {
    this.context = { ...this.context, directory };
    return this;
  }

  /** The last entry of a type. */
  last<T extends EventType>(type: T): Extract<ApprovalEvent, { type: T }> {
    const found = this.record.map((r) => r.event).filter((e): e is Extract<ApprovalEvent, { type: T }> => e.type === type);
    const event = found[found.length - 1];
    if (!event) throw new Error(`nothing ${type} is on the record`);
    return event;
  }
}

/** The types of the events that a decision tells. */
export const types = (decision: Decision): readonly EventType[] => {
  if (!('events' in decision)) throw new Error(`refused: ${decision.refusal.code}: ${decision.refusal.message}`);
  return decision.events.map((e) => e.type);
};

/** The refusal of a decision. */
export const refusal = (decision: Decision): Refusal => {
  if ('events' in decision) throw new Error(`not refused: ${decision.events.map((e) => e.type).join(', ') || 'nothing happened'}`);
  return decision.refusal;
};

export const approve = (reason = 'the parcel is lost'): Move => ({ type: 'approve', reason });
export const deny = (reason = 'the parcel arrived'): Move => ({ type: 'deny', reason });
export const takeOver = (reason = 'I call the customer'): Move => ({ type: 'take_over', reason });
export const handBack = (instructions = 'offer a voucher'): Move => ({ type: 'hand_back', instructions });
export const resolve = (result = 'refunded by hand'): Move => ({ type: 'resolve', result });
export const claim: Move = { type: 'claim' };
export const release: Move = { type: 'release' };
export const comment = (text = 'the customer has called again'): Move => ({ type: 'comment', text });
export const ask = (of = 'agent', question = 'which parcel?', sign_off?: string): Move => ({ type: 'ask', of, question, ...(sign_off ? { sign_off } : {}) });
export const reply = (question = 'q1', text = 'the second one'): Move => ({ type: 'reply', question, text });
export const addEvidence = (name = 'invoice', content = 'no 42', title = 'The invoice'): Move => ({ type: 'add_evidence', name, title, content });
export const reassign = (to: string, reason = 'they know the customer', sign_off?: string): Move => ({
  type: 'reassign',
  to,
  reason,
  ...(sign_off ? { sign_off } : {}),
});
export const passUp = (reason = 'this is for the CFO'): Move => ({ type: 'pass_up', reason });
