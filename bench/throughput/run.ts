/**
 * How many whole approvals a second, beside the plain approval on the same server, in turns: A B A B …, and the median of the
 * ratios of neighbours. Whole means: asked, routed, every change on the record, a mail by SMTP, a decision, a signed callback verified.
 *
 *   node --import tsx bench/throughput/run.ts [--quick] [--blocks 6] [--count 200] [--inflight 50] [--http 1]
 */
import { begin, end, options, program, say, table } from '../support/report';
import { countersignDesk, httpDesk, inParallel, plainDesk, whole, type Desk } from '../support/desk';
import { cpuMs } from '../support/machine';
import { median, ratio, round } from '../support/numbers';
import { openGround, openStack, type EngineMode, type Ground, type Stack } from '../support/stack';

const GOAL = 1.2;
/** Before anything counts: code is compiled, pools are filled, caches are warm. */
const WARM = 60;

interface Block {
  readonly perSecond: number;
  /** Milliseconds of processor time for one approval, by process; null where it cannot be read. */
  readonly cpu: Readonly<Record<string, number>> | null;
}

async function block(ground: Ground, stack: Stack, desk: Desk, count: number, inFlight: number): Promise<Block> {
  const processes = {
    engine: stack.engine.pid ?? 0,
    store: ground.store.pid,
    worker: stack.worker.pid,
    'plain worker': stack.plain?.pid ?? 0,
    ...(stack.api ? { api: stack.api.pid } : {}),
    outside: ground.outside.pid,
    caller: process.pid,
  };
  const cpu = (): (number | null)[] => Object.values(processes).map((pid) => cpuMs(pid, pid === ground.store.pid));
  const before = cpu();
  const ms = await inParallel(count, inFlight, () => whole(ground, desk));
  const after = cpu();
  const spent = Object.keys(processes).map((name, i) => [name, round(((after[i] ?? 0) - (before[i] ?? 0)) / count, 1)] as const);
  return { perSecond: round((count * 1000) / ms, 2), cpu: before.includes(null) ? null : Object.fromEntries(spent) };
}

async function compare(ground: Ground, mode: EngineMode, given: { blocks: number; count: number; inflight: number; http: number }) {
  const stack = await openStack(ground, { mode, plain: true, api: given.http > 0 });
  try {
    say(`\n  server ${stack.server}`);
    const desks: Record<string, Desk> = {
      countersign: await countersignDesk(ground, stack),
      plain: plainDesk(ground, stack),
      ...(given.http > 0 ? { 'countersign over HTTP': await httpDesk(ground, stack) } : {}),
    };
    const blocks: Record<string, Block[]> = {};
    for (const desk of Object.values(desks)) await inParallel(Math.min(WARM, given.count), given.inflight, () => whole(ground, desk));
    for (let n = 0; n < given.blocks; n += 1) {
      for (const [name, desk] of Object.entries(desks)) {
        (blocks[name] ??= []).push(await block(ground, stack, desk, given.count, given.inflight));
      }
    }
    const speeds = (name: string): number[] => (blocks[name] ?? []).map((b) => b.perSecond);
    const rows = Object.keys(desks).map((name) => {
      const cpus = (blocks[name] ?? []).flatMap((b) => (b.cpu ? [b.cpu] : []));
      const parts = Object.keys(cpus[0] ?? {}).map((part) => [part, round(median(cpus.map((c) => c[part] ?? 0)), 1)] as const);
      return {
        name,
        perSecond: round(median(speeds(name)), 1),
        ratio: ratio(speeds(name), speeds('plain')),
        cpuMs: round(
          parts.reduce((sum, [, value]) => sum + value, 0),
          1,
        ),
        parts: Object.fromEntries(parts),
      };
    });
    table(
      ['', 'approvals/s', 'times the plain one (least, greatest)', 'processor ms each', 'of which'],
      rows.map((r) => [
        r.name,
        r.perSecond,
        `${String(r.ratio.median)} (${String(r.ratio.least)}, ${String(r.ratio.greatest)})`,
        r.cpuMs,
        Object.entries(r.parts)
          .filter(([, value]) => value >= 0.5)
          .map(([part, value]) => `${part} ${String(value)}`)
          .join(', '),
      ]),
    );
    return { mode, server: stack.server, rows };
  } finally {
    await stack.close();
  }
}

async function main(): Promise<void> {
  const given = options({ blocks: 6, count: 200, inflight: 50, http: 1, modes: 2, from: 0 }, { blocks: 1, count: 10, inflight: 5, http: 1, modes: 1, from: 1 });
  const machine = begin(`Throughput of whole approvals; goal: at least ${String(GOAL)} times the plain workflow`, given);
  const ground = await openGround();
  try {
    const modes = (['as it comes', 'tuned', 'npm start'] as const).slice(given.from).slice(0, given.modes);
    const results = [];
    for (const mode of modes) results.push(await compare(ground, mode, given));
    if (ground.refused() > 0) throw new Error(`${String(ground.refused())} callbacks were refused by the agent that verifies them`);
    end('throughput', { machine, goal: GOAL, given, results });
  } finally {
    await ground.close();
  }
}

program(main);
