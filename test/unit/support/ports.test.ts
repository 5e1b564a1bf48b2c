/** Ports of tests: no two processes of a machine have the same one, and none is drawn twice. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { holdPorts, portsBelow } from '../../support/ports';

const COUNT = 20;
/** Hardly more ports than are wanted, where only this test draws. */
const FIRST = 32_100;
const WIDTH = 50;

/** Another test process, that draws among the same ports until its input ends. */
async function another(range: readonly [number, number]): Promise<{ readonly ports: readonly number[]; end(): Promise<void> }> {
  const script = `
    const { holdPorts } = require(${JSON.stringify(join(__dirname, '..', '..', 'support', 'ports.ts'))});
    holdPorts(${String(COUNT)}, ${JSON.stringify(range)}).then((ports) => process.stdout.write(JSON.stringify(ports) + '\\n'));
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--eval', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve);
    child.once('close', () => reject(new Error('The other process ended without any port')));
  });
  return {
    ports: JSON.parse(line) as number[],
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

it('no two test processes hold the same port, nor one that a program listens on, and what ends gives its own back', async () => {
  const range = [FIRST, FIRST + WIDTH] as const;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(FIRST + 7, '127.0.0.1', resolve));
  const [first, second] = await Promise.all([another(range), another(range)]);
  const drawn = [...first.ports, ...second.ports];
  expect(new Set(drawn).size).toBe(2 * COUNT);
  expect(drawn).not.toContain(FIRST + 7);
  await Promise.all([first.end(), second.end()]);
  // Only possible with what the two have given back.
  const ours = await holdPorts(WIDTH - 10, range);
  expect(new Set(ours).size).toBe(WIDTH - 10);
  await new Promise((resolve) => server.close(resolve));
}, 120_000);

it('they lie below those that the system gives to callers, unless hardly any do', () => {
  expect(portsBelow(32_768)).toEqual([10_000, 32_000]);
  expect(portsBelow(16_000)).toEqual([10_000, 16_000]);
  expect(portsBelow(1_024)).toEqual([10_000, 32_000]);
});
