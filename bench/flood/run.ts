/**
 * A flood of new requests while people decide, then a flood of decisions while agents ask: what each waits for the other, with a Temporal
 * priority, with the API's two doors, and with neither. All through the HTTP API.
 *
 *   node --import tsx bench/flood/run.ts [--quick] [--count 2500] [--inflight 1000] [--gap 250] [--from 0] [--ways 3]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { httpDesk, inParallel, whole, type Desk } from '../support/desk';
import { nowMs, round, waits, type Waits } from '../support/numbers';
import { begin, end, options, program, say, table } from '../support/report';
import { openGround, openStack, type Ground } from '../support/stack';

const WAYS = {
  'as it comes': {},
  'a priority': { BENCH_PRIORITY: 'true' },
  'two doors': { BENCH_DOORS: 'true' },
} as const;
type Way = keyof typeof WAYS;

/** Open before the flood begins, so that there is something to decide. */
const FEW = 60;
const WARM = 40;

interface Given {
  readonly count: number;
  readonly inflight: number;
  readonly gap: number;
}

/** Does one piece of work after the other, with a gap between them, until the flood is over; milliseconds of each kind. */
async function beside(
  flood: Promise<number>,
  gapMs: number,
  once: () => Promise<readonly number[]>,
): Promise<{ readonly ms: number; readonly taken: number[][] }> {
  const state = { over: false };
  const done = flood.finally(() => (state.over = true));
  const taken: number[][] = [];
  do {
    (await once()).forEach((value, i) => (taken[i] ??= []).push(value));
    await sleep(gapMs);
  } while (!state.over);
  return { ms: await done, taken };
}

/** Asks, and waits until the approver has the mail. */
async function asked(ground: Ground, desk: Desk, open: string[]): Promise<readonly number[]> {
  const started = nowMs();
  const id = await desk.ask();
  const answered = nowMs() - started;
  const mail = await ground.heard('mail', id);
  open.push(id);
  return [answered, mail - started];
}

async function decided(ground: Ground, desk: Desk, open: string[]): Promise<readonly number[]> {
  let id = open.shift();
  // Faster than those who ask: there is nothing to wait for in that.
  for (; id === undefined; id = open.shift()) await sleep(50);
  const called = ground.heard('callback', id);
  const started = nowMs();
  await desk.decide(id);
  const told = nowMs() - started;
  return [told, (await called) - started];
}

interface Flooded {
  readonly told: Waits;
  readonly resumed: Waits;
  readonly answered: Waits;
  readonly asked: Waits;
  /** Of the flood itself, each second. */
  readonly requestsPerSecond: number;
  readonly decisionsPerSecond: number;
  /** Answers of the API that turned somebody away. */
  readonly busy: number;
}

async function measure(ground: Ground, way: Way, { count, inflight, gap }: Given): Promise<Flooded> {
  const stack = await openStack(ground, { mode: 'npm start', api: true, apiProgram: 'bench/flood/api.ts', env: WAYS[way] });
  try {
    say(`\n  ${way}; server ${stack.server}`);
    let busy = 0;
    const desk = await httpDesk(ground, stack, () => void (busy += 1));
    await inParallel(Math.min(WARM, count), 20, () => whole(ground, desk));
    const open: string[] = [];
    await inParallel(Math.min(FEW, count), 20, async () => void (await asked(ground, desk, open)));
    const requests = inParallel(count, inflight, async () => void (await asked(ground, desk, open)));
    const first = await beside(requests, gap, () => decided(ground, desk, open));
    const flooding = open.splice(0);
    const many = flooding.length;
    const decisions = inParallel(many, inflight, async () => void (await decided(ground, desk, flooding)));
    const second = await beside(decisions, gap, () => asked(ground, desk, open));
    return {
      told: waits(first.taken[0] ?? []),
      resumed: waits(first.taken[1] ?? []),
      answered: waits(second.taken[0] ?? []),
      asked: waits(second.taken[1] ?? []),
      requestsPerSecond: round((count * 1000) / first.ms, 1),
      decisionsPerSecond: round((many * 1000) / second.ms, 1),
      busy,
    };
  } finally {
    await stack.close();
  }
}

async function main(): Promise<void> {
  const given = options({ count: 2_500, inflight: 1_000, gap: 250, from: 0, ways: 3 }, { count: 20, inflight: 20, gap: 50, from: 2, ways: 1 });
  const machine = begin('A flood of requests while people decide, and of decisions while agents ask', given);
  const ground = await openGround();
  try {
    const results: Partial<Record<Way, Flooded>> = {};
    for (const way of (Object.keys(WAYS) as Way[]).slice(given.from).slice(0, given.ways)) results[way] = await measure(ground, way, given);
    const rows = Object.entries(results);
    table(
      ['one decision at a time in a flood of requests', 'count', 'told p50 ms', 'p95', 'resumed p50 ms', 'p95', 'requests/s', 'turned away'],
      rows.map(([way, r]) => [way, r.told.count, r.told.p50, r.told.p95, r.resumed.p50, r.resumed.p95, r.requestsPerSecond, r.busy]),
    );
    table(
      ['one request at a time in a flood of decisions', 'count', 'answered p50 ms', 'p95', 'asked p50 ms', 'p95', 'decisions/s'],
      rows.map(([way, r]) => [way, r.answered.count, r.answered.p50, r.answered.p95, r.asked.p50, r.asked.p95, r.decisionsPerSecond]),
    );
    end('flood', { machine, given, results });
  } finally {
    await ground.close();
  }
}

program(main);
