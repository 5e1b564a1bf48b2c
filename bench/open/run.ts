/**
 * Many approvals open at once, on the server as npm start runs it: what they hold in memory, what a decision among them takes beside one
 * among fifty, and what is left when they have closed. All through the HTTP API.
 *
 *   node --import tsx bench/open/run.ts [--quick] [--count 10000] [--sample 150] [--inflight 40]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { httpDesk, inParallel, whole, type Desk } from '../support/desk';
import { residentMiB } from '../support/machine';
import { nowMs, round, waits, type Waits } from '../support/numbers';
import { begin, end, options, program, say, table } from '../support/report';
import { openGround, openStack, type Ground, type Stack } from '../support/stack';

const GOALS = { memoryMiB: 1024, timesFifty: 2 };
const FEW = 50;
const WARM = 60;
/** Garbage is collected and caches shrink in the meantime. */
const REST_MS = 15_000;

interface Memory {
  readonly server: number;
  readonly worker: number;
  readonly api: number;
  readonly together: number;
}

function memory(stack: Stack): Memory {
  const of = (pid: number | null | undefined): number => residentMiB(pid ?? 0) ?? 0;
  const [server, worker, api] = [of(stack.engine.pid), of(stack.worker.pid), of(stack.api?.pid)];
  return { server, worker, api, together: server + worker + api };
}

/** Open approvals, taken in any order. */
class Open {
  private readonly ids: string[] = [];
  constructor(
    private readonly ground: Ground,
    private readonly desk: Desk,
  ) {}

  get size(): number {
    return this.ids.length;
  }

  async ask(): Promise<void> {
    const id = await this.desk.ask();
    await this.ground.heard('mail', id);
    this.ids.push(id);
  }

  /** Any of them: old and new alike. Milliseconds until the answer, and until the agent has its callback. */
  async decideOne(): Promise<{ readonly told: number; readonly resumed: number }> {
    const [id] = this.ids.splice(Math.floor(Math.random() * this.ids.length), 1);
    if (id === undefined) throw new Error('Nothing is open');
    const called = this.ground.heard('callback', id);
    const started = nowMs();
    await this.desk.decide(id);
    const told = nowMs() - started;
    return { told, resumed: (await called) - started };
  }
}

async function sample(open: Open, count: number): Promise<{ readonly told: Waits; readonly resumed: Waits }> {
  const taken = [];
  for (let n = 0; n < count; n += 1) {
    taken.push(await open.decideOne());
    await open.ask();
    await sleep(20);
  }
  return { told: waits(taken.map((t) => t.told)), resumed: waits(taken.map((t) => t.resumed)) };
}

async function main(): Promise<void> {
  const given = options({ count: 10_000, sample: 150, inflight: 40 }, { count: 60, sample: 5, inflight: 10 });
  const machine = begin(
    `${String(given.count)} approvals open; goals: server, worker and API within ${String(GOALS.memoryMiB)} MiB, a decision at p95 within ${String(GOALS.timesFifty)} times that among ${String(FEW)}`,
    given,
  );
  const ground = await openGround();
  try {
    const stack = await openStack(ground, { mode: 'npm start', api: true });
    try {
      say(`\n  server ${stack.server}`);
      const desk = await httpDesk(ground, stack);
      await inParallel(WARM, 20, () => whole(ground, desk));
      const open = new Open(ground, desk);
      await inParallel(FEW, given.inflight, () => open.ask());
      await sleep(REST_MS / 5);
      const start = memory(stack);
      const few = await sample(open, given.sample);
      const openedMs = await inParallel(given.count - open.size, given.inflight, () => open.ask());
      const full = memory(stack);
      await sleep(REST_MS);
      const rested = memory(stack);
      const many = await sample(open, given.sample);
      const left = open.size;
      const closedMs = await inParallel(left, given.inflight, async () => void (await open.decideOne()));
      const closed = memory(stack);
      await sleep(REST_MS);
      const after = memory(stack);
      table(
        ['memory, MiB', 'server', 'worker', 'API', 'together'],
        Object.entries({
          [`${String(FEW)} open`]: start,
          [`${String(given.count)} open`]: full,
          'a while later': rested,
          'all closed': closed,
          'a while after that': after,
        }).map(([when, m]) => [when, m.server, m.worker, m.api, m.together]),
      );
      const times = { told: round(many.told.p95 / few.told.p95, 2), resumed: round(many.resumed.p95 / few.resumed.p95, 2) };
      table(
        ['one decision at a time', 'told p50 ms', 'p95', 'p99', 'resumed p50 ms', 'p95', 'p99'],
        Object.entries({ [`among ${String(FEW)}`]: few, [`among ${String(given.count)}`]: many }).map(([name, { told, resumed }]) => [
          name,
          told.p50,
          told.p95,
          told.p99,
          resumed.p50,
          resumed.p95,
          resumed.p99,
        ]),
      );
      const opened = round(((given.count - FEW) * 1000) / openedMs, 1);
      const closing = round((left * 1000) / closedMs, 1);
      say(
        `  opened ${String(opened)} a second, closed ${String(closing)} a second; p95 times that among ${String(FEW)}: told ${String(times.told)}, resumed ${String(times.resumed)}`,
      );
      end('open', { machine, goals: GOALS, given, server: stack.server, memory: { start, full, rested, closed, after }, few, many, times, opened, closing });
    } finally {
      await stack.close();
    }
  } finally {
    await ground.close();
  }
}

program(main);
