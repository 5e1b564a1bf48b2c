/**
 * Requests that two people race over while worker, API, engine, store and all of them at once are killed; then the judge of the fault tests
 * compares agents, people, receivers, store, workflows and record. In rounds, each with a tenant of its own, so that what is compared at a
 * time stays small. Everything stays on this machine; the journals stay in --dir if it is given.
 *
 *   node --import tsx bench/faults/run.ts [--kills 500] [--requests 20000] [--seed N] [--minutes 0] [--round 1000] [--inflight 32] [--dir folder] [--verbose]
 *
 * --minutes: begin nothing new after so long, finish and judge what was begun, and report it; 0: no limit. A round draws its kills from the
 * seed and its own number, so a round that fails can be had again by its seed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { chance } from '../../test/support/chance';
import { longest, schedule, weather, type Weathered } from '../../test/faults/storm';
import { openTree, TARGETS } from '../../test/faults/tree';
import { writeBundle } from '../../workers/bundle';
import { median } from '../support/numbers';
import { compile } from './compile';
import { begin, end, program, say, table } from '../support/report';

const SETTLE_MS = 300_000;
/** A dead process is a violation of nothing; a program that ended without being killed is worth a look. */
const SHOWN = 20;

interface Given {
  readonly kills: number;
  readonly requests: number;
  readonly seed: number;
  readonly minutes: number;
  readonly round: number;
  readonly inflight: number;
}

function given(): { readonly numbers: Given; readonly dir: string | undefined; readonly verbose: boolean } {
  const defaults: Given = { kills: 500, requests: 20_000, seed: randomInt(2 ** 31), minutes: 0, round: 1_000, inflight: 32 };
  const text = { type: 'string' as const };
  const { values } = parseArgs({
    options: { kills: text, requests: text, seed: text, minutes: text, round: text, inflight: text, dir: text, verbose: { type: 'boolean' as const } },
  });
  const numbers = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => {
      const wanted = Number((values as Record<string, string | undefined>)[name] ?? value);
      if (!Number.isFinite(wanted) || wanted < 0) throw new Error(`--${name} is a number`);
      return [name, wanted];
    }),
  ) as unknown as Given;
  return { numbers, dir: values.dir, verbose: values.verbose === true };
}

/** What is kept of a round: its evidence is let go. */
type Kept = Omit<Weathered, 'evidence' | 'waits'> & { readonly longestWaitMs: number } & {
  readonly seed: number;
  readonly decisions: number;
  readonly acts: number;
};

function keptOf({ evidence, waits, ...rest }: Weathered, seed: number): Kept {
  const decided = new Set(evidence.people.flatMap((line) => (line.wrote === 'told' && line.accepted ? [line.commandId] : [])));
  return {
    ...rest,
    longestWaitMs: longest(waits),
    seed,
    decisions: decided.size,
    acts: (evidence.receivers ?? []).filter(({ wrote }) => wrote === 'acted').length,
  };
}

async function main(): Promise<void> {
  const { numbers, dir: wanted, verbose } = given();
  const { kills, requests, seed, minutes, round, inflight } = numbers;
  const machine = begin('Faults: racing decisions while everything is killed; goal: no violation, all restored within 30 s of the last restart', {
    ...numbers,
  });
  const dir = wanted ?? mkdtempSync(join(tmpdir(), 'countersign-faults-'));
  const bundle = join(dir, 'workflows.js');
  const tree = await openTree({ dir, bundle: (await writeBundle(bundle), bundle), compiled: compile(join(dir, 'compiled')) });
  const started = performance.now();
  const until = minutes > 0 ? started + minutes * 60_000 : Number.POSITIVE_INFINITY;
  const told = { stop: false };
  // What was begun is finished and judged; a second signal ends it at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (told.stop = true));
  const enough = (): boolean => told.stop || performance.now() > until;
  const rounds = Math.max(1, Math.ceil(requests / round));
  const done: Kept[] = [];
  try {
    for (let n = 0; n < rounds && !enough(); n += 1) {
      const asks = Math.min(round, requests - n * round);
      const deaths = Math.floor(((n + 1) * kills) / rounds) - Math.floor((n * kills) / rounds);
      const own = seed + n;
      const tenant = `round-${String(n + 1)}`;
      const kept = keptOf(
        await weather(tree, {
          tenant,
          requests: asks,
          inFlight: inflight,
          kills: schedule(chance(own), deaths, asks),
          settleMs: SETTLE_MS,
          enough,
          ...(verbose ? { say: (line: string) => say(`    ${((performance.now() - started) / 1000).toFixed(1)} s ${line}`) } : {}),
        }),
        own,
      );
      done.push(kept);
      say(
        `  ${tenant} (seed ${String(own)}): ${String(kept.asked)} requests, ${String(kept.kills)} kills, ${String(kept.violations.length)} violations, ` +
          `restored ${(kept.restoredMs / 1000).toFixed(1)} s after the last restart (longest limit waited for: ${(kept.longestWaitMs / 1000).toFixed(1)} s), ${(kept.tookMs / 1000).toFixed(0)} s in all`,
      );
      for (const sentence of kept.violations.slice(0, SHOWN)) say(`    ${sentence}`);
    }
    report(machine, numbers, done, tree, performance.now() - started);
  } finally {
    await tree.stop();
    if (wanted === undefined) rmSync(dir, { recursive: true, force: true });
  }
  if (done.some(({ violations }) => violations.length > 0)) process.exit(2);
}

function report(
  machine: string,
  numbers: Given,
  done: readonly Kept[],
  tree: { kills: Readonly<Record<string, number>>; endedByThemselves: readonly string[] },
  tookMs: number,
): void {
  const sum = (of: (kept: Kept) => number): number => done.reduce((total, kept) => total + of(kept), 0);
  const asked = sum((kept) => kept.asked);
  const result = {
    requests: asked,
    ofRequests: numbers.requests,
    kills: sum((kept) => kept.kills),
    ofKills: numbers.kills,
    perTarget: Object.fromEntries(TARGETS.map((target) => [target, tree.kills[target] ?? 0])),
    decisions: sum((kept) => kept.decisions),
    acts: sum((kept) => kept.acts),
    violations: sum((kept) => kept.violations.length),
    endedByThemselves: tree.endedByThemselves.length,
    medianRestoredMs: Math.round(median(done.map((kept) => kept.restoredMs))),
    longestWaitMs: Math.round(Math.max(0, ...done.map((kept) => kept.longestWaitMs))),
    worstRestoredMs: Math.round(Math.max(0, ...done.map((kept) => kept.restoredMs))),
    perSecond: Number(((asked * 1000) / tookMs).toFixed(2)),
    minutes: Number((tookMs / 60_000).toFixed(1)),
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  table(
    ['', ''],
    Object.entries(result).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : value]),
  );
  for (const words of tree.endedByThemselves.slice(0, SHOWN)) say(`  ${words}`);
  end('faults', { machine, given: numbers, ...result });
}

program(main);
