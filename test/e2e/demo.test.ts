/**
 * `npm run demo` as a newcomer runs it: a process of its own, unattended.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..', '..');
let tmp: string;
let demo: ChildProcess | undefined;

beforeEach(() => {
  tmp = mkdtempSync(join(tmpdir(), 'countersign-demo-test-'));
  // The store's user must pass through where the tests run as root.
  chmodSync(tmp, 0o711);
});
afterEach(() => {
  demo?.kill('SIGKILL');
  rmSync(tmp, { recursive: true, force: true });
});

/** Runs it; `until` may stop it in the middle. */
async function runDemo(
  until?: (line: string, demo: ChildProcess) => void,
): Promise<{ readonly code: number | null; readonly lines: string[]; readonly complaint: string }> {
  const child = spawn(process.execPath, ['tools/demo.mjs'], { cwd: ROOT, env: { ...process.env, TMPDIR: tmp }, stdio: ['ignore', 'pipe', 'pipe'] });
  demo = child;
  let output = '';
  let complaint = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString('utf8');
    until?.(output, child);
  });
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString('utf8')));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, lines: output.split('\n'), complaint };
}

it(
  'plays silence, a yes and a no to their ends, and leaves nothing behind',
  async () => {
    const { code, lines, complaint } = await runDemo();
    expect(complaint).toBe('');
    expect(lines.filter((line) => line.includes('WRONG'))).toEqual([]);
    expect(lines[1]).toMatch(/^Time runs 300 times faster here.*[Oo]nly development allows that/);
    const wanted = [
      /Maya Lindt \(finance manager\) is asked until \d\d:\d\d; then CFO is asked/,
      /Elena Costa \(CFO\) is asked until \d\d:\d\d; then the request expires and a ticket opens/,
      /ok {4}It ended as expired/,
      /ok {4}The agent took no action/,
      /ok {4}GET \/v1\/tickets: .* open, queue manual-review, owner finance_manager/,
      /ok {4}Mail to billing@brightlamps.example: "Your invoice is under review"/,
      /ok {4}It ended as approved/,
      /ok {4}The agent executed the action/,
      /ok {4}It ended as denied/,
      /ok {4}The agent took no action: log the reason, tell the requester, end the run/,
      /ok {4}Mail to ravi.menon@company.example/,
      /^3 callbacks verified, each received once/,
    ];
    expect(wanted.filter((line) => !lines.some((each) => line.test(each)))).toEqual([]);
    expect(code).toBe(0);
    expect(readdirSync(tmp).filter((name) => name.startsWith('countersign-'))).toEqual([]);
  },
  5 * 60_000,
);

it(
  'stops cleanly on Ctrl-C in the middle',
  async () => {
    let asked = false;
    const { code, lines, complaint } = await runDemo((output, child) => {
      if (asked || !output.includes('was asked by mail')) return;
      asked = true;
      child.kill('SIGINT');
    });
    expect(code).toBe(130);
    expect(complaint).toBe('Stopped.\n');
    expect(lines.join('\n')).not.toContain('WRONG');
    expect(readdirSync(tmp).filter((name) => name.startsWith('countersign-'))).toEqual([]);
  },
  3 * 60_000,
);
