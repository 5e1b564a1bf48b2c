/**
 * What a policy costs: one request against 10, 100 and 1,000 rows, beside the same matrix in other engines, equal answers checked on every
 * request; and the check of 1,000 rows beside parsing their YAML, with the memory that it takes.
 *
 *   node --import tsx bench/policy/run.ts [--quick] [--rounds 25] [--requests 100] [--checks 7]
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compilePolicy, formatFindings } from '../../policy';
import { median, ratio, round } from '../support/numbers';
import { begin, end, options, program, say, table } from '../support/report';
import { bufbuildCel, countersign, jsonRulesEngine, zenEngine, type Contender } from './engines';
import { matrixOf, policyFile, requestsFor, type Matrix } from './matrix';

/** Check against parsing, and MiB at the most. */
const GOALS = { check: 5, memoryMiB: 200 };
const SIZES = [10, 100, 1000];

function compiled(matrix: Matrix) {
  const { policy, findings } = compilePolicy([policyFile(matrix)]);
  if (!policy) throw new Error(formatFindings(findings));
  return policy;
}

/** What one contender takes for all requests, in microseconds of processor time of all threads: others that want the machine do not count. */
async function usOf({ rowsFor }: Contender, requests: ReturnType<typeof requestsFor>): Promise<number> {
  const before = process.cpuUsage();
  for (const request of requests) {
    const rows = rowsFor(request);
    if (rows instanceof Promise) await rows;
  }
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const WARM_US = 1_000_000;

/** Microseconds for each request, one figure for each round; the contenders take turns, once each has run for a while. */
async function inTurns(contenders: readonly Contender[], requests: ReturnType<typeof requestsFor>, rounds: number): Promise<Map<string, number[]>> {
  const taken = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) for (let warm = 0; warm < WARM_US;) warm += await usOf(contender, requests);
  for (let round = 0; round < rounds; round += 1)
    for (const contender of contenders) taken.get(contender.name)?.push((await usOf(contender, requests)) / requests.length);
  return taken;
}

/** How many rows a request meets; throws where two engines differ. */
async function agree([first, ...others]: readonly Contender[], requests: ReturnType<typeof requestsFor>): Promise<number> {
  let met = 0;
  for (const request of requests) {
    const rows = [...((await first?.rowsFor(request)) ?? [])].sort();
    met += rows.length;
    for (const other of others) {
      const theirs = [...(await other.rowsFor(request))].sort();
      if (JSON.stringify(theirs) !== JSON.stringify(rows))
        throw new Error(`${other.name} differs for ${JSON.stringify(request)}: ${theirs.join(', ')} instead of ${rows.join(', ')}`);
    }
  }
  return round(met / requests.length, 1);
}

async function measure(size: number, kinds: number, given: { rounds: number; requests: number }) {
  const matrix = matrixOf(size, kinds);
  const contenders = [countersign(compiled(matrix)), jsonRulesEngine(matrix), zenEngine(matrix), bufbuildCel(matrix)];
  const requests = requestsFor(matrix, given.requests);
  const met = await agree(contenders, requests);
  // Answers are compared for all of them; of many rows a round takes fewer, so that no round is so long that the machine changes in it.
  const taken = await inTurns(contenders, requests.slice(0, Math.max(20, Math.round((given.requests * 10) / size))), given.rounds);
  const [ours = [], ...others] = [...taken.values()];
  return {
    size,
    kinds,
    met,
    us: round(median(ours), 1),
    times: contenders.slice(1).map(({ name }, i) => ({ name, ...ratio(others[i] ?? [], ours) })),
  };
}

interface Checked {
  readonly yamlMs: number;
  readonly checkMs: number;
  readonly emptyMiB: number;
  readonly peakMiB: number;
}

async function checks(times: number) {
  const run = promisify(execFile);
  const each: Checked[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  const file = join(directory, 'policy.yaml');
  writeFileSync(file, policyFile(matrixOf(1000, 100)).text);
  try {
    for (let n = 0; n < times; n += 1) {
      const { stdout } = await run(process.execPath, ['--import', 'tsx', join(__dirname, 'check.ts'), file], { cwd: join(__dirname, '..', '..') });
      each.push(JSON.parse(stdout) as Checked);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return {
    ratio: ratio(
      each.map((c) => c.checkMs),
      each.map((c) => c.yamlMs),
    ),
    peakMiB: median(each.map((c) => c.peakMiB)),
    emptyMiB: median(each.map((c) => c.emptyMiB)),
  };
}

async function main(): Promise<void> {
  const given = options({ rounds: 25, requests: 100, checks: 7 }, { rounds: 2, requests: 20, checks: 1 });
  const machine = begin('One request against many rows, and the check of 1,000', given);
  const results = [];
  // Ten rows for each kind of action, as a policy has; and all rows about one kind, which nothing but their conditions tells apart.
  for (const size of SIZES) results.push(await measure(size, Math.max(1, size / 10), given));
  for (const size of SIZES.slice(1)) results.push(await measure(size, 1, given));
  table(
    ['rows', 'kinds of action', 'rows met', 'plan, µs of processor time', ...(results[0]?.times ?? []).map(({ name }) => `${name}, times as long`)],
    results.map((r) => [r.size, r.kinds, r.met, r.us, ...r.times.map((t) => `${String(t.median)} (${String(t.least)} to ${String(t.greatest)})`)]),
  );
  const one = results.filter((r) => r.kinds === 1);
  say(`  all of one kind: ${one.map((r) => `${String(round(r.us / r.size, 2))} µs of processor time a row at ${String(r.size)}`).join(', ')}`);
  const checked = await checks(given.checks);
  say(
    `  check of 1,000 rows: ${String(checked.ratio.median)} times parsing their YAML (goal ${String(GOALS.check)}); ` +
      `${String(checked.peakMiB)} MiB at the most (goal ${String(GOALS.memoryMiB)}), of which ${String(checked.emptyMiB)} before it begins`,
  );
  end('policy', { machine, goals: GOALS, given, results, checked });
}

program(main);
