/**
 * A stage for the model tests: one approval with everything around it that the state machine is told of: the directory and the calendar in
 * force, what was sent before, what became of messages. It commits as the store does: a repeated command gets the answer it had, a deadline
 * that has passed counts first, and a refusal is an entry.
 * Everything is an argument, so a play is the same on every machine. Must not import anything but the domain and the record's digest.
 */
import { decide, type Decision } from '../../../domain/decide';
import type { Directory } from '../../../domain/directory';
import type { ApprovalEvent, AttemptStatus } from '../../../domain/events';
import { after, ms, type Instant } from '../../../domain/json';
import { isPastDeadline } from '../../../domain/ladder';
import { commandVersion, DECIDING, type Command, type CommandBody, type Move, type Refusal } from '../../../domain/moves';
import type { Plan } from '../../../domain/plan';
import { apply, INITIAL, type ApprovalState, type OwedState, type Recorded } from '../../../domain/state';
import type { Context } from '../../../domain/story';
import { digest } from '../../../record/canonical';
import { MINUTE, PACKET, START } from '../approval-play';
import { dueIn, ROUND_THE_CLOCK, workedIn, type Hours } from './hours';

/** How a person, or the agent, says something. */
export interface Saying {
  readonly person?: string;
  readonly agent?: string;
  readonly bulk?: string;
  readonly move: Move;
  readonly packetDigest?: string | null;
  readonly signedInAgo?: number;
  readonly expiresIn?: number;
}

/** What one command came to. */
export interface Step {
  readonly command: Command;
  /** Before it, and before a deadline that had passed counted. */
  readonly first: ApprovalState;
  /** Before it. */
  readonly before: ApprovalState;
  readonly after: ApprovalState;
  readonly context: Context;
  /** What it added to the record, without what a deadline that had passed added first. */
  readonly added: readonly Recorded[];
  /** The same, with it. */
  readonly all: readonly Recorded[];
  readonly refusal: Refusal | null;
  /** Whether it was answered before. */
  readonly repeated: boolean;
  /** Whether a deadline that had passed would have counted first. */
  readonly caughtUp: boolean;
}

export interface Ground {
  readonly plan: Plan;
  readonly directory: Directory;
  readonly requesters: readonly string[];
  readonly hours: Hours;
  readonly resume: Context['resume'];
}

export const AGENT = 'clerk';

export class Stage {
  now: Instant = START;
  state: ApprovalState = INITIAL;
  readonly record: Recorded[] = [];
  readonly plan: Plan;
  readonly requesters: readonly string[];
  /** Every directory that has held, the one in force last. */
  readonly directories: Directory[];
  /** Everything that was sent, to be sent again. */
  readonly sent: Command[] = [];
  hours: Hours;
  /** Whether other hours have ever come into force. */
  hoursChanged = false;
  private readonly answers = new Map<string, Refusal | null>();
  private moves = 0;

  constructor(readonly begins: Ground) {
    const { plan, directory, requesters, hours } = begins;
    this.plan = plan;
    this.directories = [directory];
    this.requesters = requesters;
    this.hours = hours;
    this.write(beginningOf(plan));
  }

  get directory(): Directory {
    return this.directories[this.directories.length - 1] as Directory;
  }

  get context(): Context {
    return {
      now: this.now,
      plan: this.plan,
      directory: this.directory,
      requesters: this.requesters,
      resume: this.begins.resume,
      agent: AGENT,
      hasCustomerAddress: true,
      hasRequesterAddress: true,
      dueAt: (from, withinMs, calendar) => dueIn(calendar === null ? ROUND_THE_CLOCK : this.hours, from, withinMs),
      workingBetween: (from, to, calendar) => workedIn(calendar === null ? ROUND_THE_CLOCK : this.hours, from, to),
      calendars: {},
      // What a packet is made of beside is all the same here.
      digestOf: (added) => digest(added),
    };
  }

  /** What became of something owed. */
  tries({ id, owed, attempts }: OwedState, status: AttemptStatus): void {
    const told = { httpStatus: null, latencyMs: 5, detail: '', retryAt: null };
    this.write([{ type: 'attempted', owedId: id, kind: owed.kind, to: '', attempt: attempts + 1, status, ...told }]);
  }

  private write(events: readonly ApprovalEvent[]): Recorded[] {
    return events.map((event) => {
      const entry: Recorded = { seq: this.state.seq + 1, at: this.now, event };
      this.record.push(entry);
      this.state = apply(this.state, entry);
      return entry;
    });
  }

  /** One commit. `catchUp`: as the store does it, which never lets a move by a deadline that has passed. */
  send(command: Command, catchUp = true): Step {
    const first = this.state;
    const context = this.context;
    const start = this.record.length;
    const earlier = command.type === 'move' ? this.answers.get(command.id) : undefined;
    if (earlier !== undefined)
      return { command, first, before: first, after: first, context, added: [], all: [], refusal: earlier, repeated: true, caughtUp: catchUp };
    if (catchUp && isPastDeadline(this.state, this.now)) this.write(eventsOf(decide(this.state, { type: 'clock' }, context)));
    const before = this.state;
    const own = this.record.length;
    const decision = decide(before, command, context);
    const refusal = 'refusal' in decision ? decision.refusal : null;
    if (command.type === 'move') {
      this.sent.push(command);
      this.answers.set(command.id, refusal);
    }
    this.write(refusal === null || command.type !== 'move' ? eventsOf(decision) : [refusedEntry(command.body, refusal)]);
    return {
      command,
      first,
      before,
      after: this.state,
      context,
      added: this.record.slice(own),
      all: this.record.slice(start),
      refusal,
      repeated: false,
      caughtUp: catchUp,
    };
  }

  /** What a person, or the agent, would send now. */
  saying(how: Saying): Command {
    this.moves += 1;
    const id = `command-${String(this.moves)}`;
    const { person = '', agent, bulk, move } = how;
    const decides = DECIDING.includes(move.type);
    const who = { ...(agent === undefined ? {} : { agent }), ...(bulk === undefined ? {} : { bulk }) };
    const body: CommandBody = {
      v: commandVersion({ move, ...who }),
      tenant: 'acme',
      approvalId: 'apr-1',
      commandId: id,
      person,
      ...who,
      move,
      packetDigest: how.packetDigest === undefined ? (decides ? this.state.packetDigest : null) : how.packetDigest,
      signedInAt: after(this.now, -(how.signedInAgo ?? MINUTE)),
      issuedAt: this.now,
      expiresAt: after(this.now, how.expiresIn ?? 2 * MINUTE),
    };
    return { type: 'move', id, body, signature: `signature-${String(this.moves)}`, keyId: 'key-1' };
  }

  says(how: Saying): Step {
    return this.send(this.saying(how));
  }

  /** Other opening hours are in force from now on. */
  opensAt(hours: Hours): void {
    this.hoursChanged ||= hours !== this.hours;
    this.hours = hours;
  }

  /** Time passes, and nobody knocks. */
  waits(milliseconds: number): void {
    this.now = after(this.now, milliseconds);
  }

  /** Time stands at an instant, if that is to come. */
  waitsUntil(at: Instant): void {
    if (ms(at) > ms(this.now)) this.now = at;
  }
}

const eventsOf = (decision: Decision): readonly ApprovalEvent[] => ('events' in decision ? decision.events : []);

const refusedEntry = (body: CommandBody, { code, message }: Refusal): ApprovalEvent => ({
  type: 'refused',
  code,
  message,
  by: body.agent ?? body.person,
  move: body.move.type,
  commandId: body.commandId,
});

/** The two entries with which every approval begins. */
function beginningOf(plan: Plan): readonly ApprovalEvent[] {
  return [
    {
      type: 'requested',
      agent: AGENT,
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
      meanwhile: plan.meanwhile.agent,
    },
  ];
}
