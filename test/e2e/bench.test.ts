/**
 * The benchmarks run and print what a program can read: one last line of JSON, with the machine, the mode of the server and figures. What
 * the figures are is not tested: no test fails on time.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

it('a quick run of the latency benchmark prints well-formed figures for each side', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/latency/run.ts', '--quick', '--rounds', '2'], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 100_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const figures = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { results: { rows: { name: string; resumed: { count: number; p50: number } }[] }[] };
  expect(figures).toMatchObject({ bench: 'latency', machine: expect.stringContaining('Node v') as string, goals: { bare: 2, plain: 0.7 } });
  expect(figures.results).toEqual([expect.objectContaining({ mode: 'tuned', server: expect.stringContaining('poll limits') as string })]);
  const rows = figures.results[0]?.rows ?? [];
  expect(rows.map((row) => row.name)).toEqual(['countersign', 'countersign over HTTP', 'plain', 'bare']);
  for (const { resumed } of rows) {
    expect(resumed.count).toBe(2);
    expect(resumed.p50).toBeGreaterThan(0);
  }
});
