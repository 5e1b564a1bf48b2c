/**
 * From a person's decision to the agent that has verified the callback, one approval at a time, beside the plain approval, and beside the
 * engine's own speed: signal to result of a workflow without any activity. The three take turns, so that they meet the same machine.
 *
 *   node --import tsx bench/latency/run.ts [--quick] [--rounds 80] [--modes 2] [--from 0]
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { BARE_WORKFLOW, PLAIN_QUEUE } from '../plain/protocol';
import { countersignDesk, httpDesk, plainDesk, type Desk } from '../support/desk';
import { nowMs, round, waits, type Waits } from '../support/numbers';
import { begin, end, options, program, say, table } from '../support/report';
import { openGround, openStack, type EngineMode, type Ground, type Stack } from '../support/stack';

/** Times the bare workflow, and times the plain one, at p50. */
const GOALS = { bare: 2, plain: 0.7 };
const WARM = 8;
/** A decision comes long after the question: what the question set going has come to rest. */
const REST_MS = 120;

interface Measured {
  /** Until the agent has verified the callback; of the bare workflow, until its result is there. */
  readonly resumed: number;
  /** Until the person is told that the decision counts. */
  readonly told: number;
}

async function decided(ground: Ground, desk: Desk): Promise<Measured> {
  const id = await desk.ask();
  await ground.heard('mail', id);
  const called = ground.heard('callback', id);
  await sleep(REST_MS);
  const started = nowMs();
  await desk.decide(id);
  const told = nowMs() - started;
  return { resumed: (await called) - started, told };
}

async function signalled({ client }: Stack): Promise<Measured> {
  const handle = await client.workflow.start(BARE_WORKFLOW, { workflowId: `bare-${randomUUID()}`, taskQueue: PLAIN_QUEUE });
  const result = handle.result();
  await sleep(REST_MS);
  const started = nowMs();
  await handle.signal('go', 'now');
  const told = nowMs() - started;
  await result;
  return { resumed: nowMs() - started, told };
}

async function measure(ground: Ground, mode: EngineMode, rounds: number) {
  const stack = await openStack(ground, { mode, plain: true, api: true });
  try {
    say(`\n  server ${stack.server}`);
    const [ours, http, plain] = [await countersignDesk(ground, stack), await httpDesk(ground, stack), plainDesk(ground, stack)];
    const turns: Record<string, () => Promise<Measured>> = {
      countersign: () => decided(ground, ours),
      'countersign over HTTP': () => decided(ground, http),
      plain: () => decided(ground, plain),
      bare: () => signalled(stack),
    };
    const taken: Record<string, Measured[]> = {};
    for (let n = 0; n < rounds + WARM; n += 1) {
      for (const [name, turn] of Object.entries(turns)) {
        const measured = await turn();
        if (n >= WARM) (taken[name] ??= []).push(measured);
      }
    }
    const of = (name: string, what: keyof Measured): Waits => waits((taken[name] ?? []).map((m) => m[what]));
    const rows = Object.keys(turns).map((name) => {
      const resumed = of(name, 'resumed');
      return {
        name,
        resumed,
        told: of(name, 'told'),
        timesBare: round(resumed.p50 / of('bare', 'resumed').p50, 2),
        timesPlain: round(resumed.p50 / of('plain', 'resumed').p50, 2),
      };
    });
    table(
      ['', 'resumed p50 ms', 'p95', 'p99', 'times bare', 'times plain', 'told p50 ms', 'p99'],
      rows.map((r) => [r.name, r.resumed.p50, r.resumed.p95, r.resumed.p99, r.timesBare, r.timesPlain, r.told.p50, r.told.p99]),
    );
    return { mode, server: stack.server, rows };
  } finally {
    await stack.close();
  }
}

async function main(): Promise<void> {
  const given = options({ rounds: 80, modes: 2, from: 0 }, { rounds: 3, modes: 1, from: 1 });
  const machine = begin(
    `Decision to agent resumed; goals at p50: at most ${String(GOALS.bare)} times the bare workflow, and ${String(GOALS.plain)} times the plain one on the tuned server`,
    given,
  );
  const ground = await openGround();
  try {
    const results = [];
    for (const mode of (['as it comes', 'tuned', 'npm start'] as const).slice(given.from).slice(0, given.modes)) {
      results.push(await measure(ground, mode, given.rounds));
    }
    end('latency', { machine, goals: GOALS, given, results });
  } finally {
    await ground.close();
  }
}

program(main);
