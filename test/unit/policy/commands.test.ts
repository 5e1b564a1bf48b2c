/** The commands about a policy's files: what they print and what they exit with. They need no store and no engine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../client/cli/program';
import { DESK_DIRECTORY, DESK_POLICY } from '../../support/desk-policy';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-policy-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

async function countersign(...argv: string[]) {
  let [out, err] = ['', ''];
  const code = await run(argv, {
    env: {},
    configDir: dir,
    fetch: globalThis.fetch,
    now: () => '2026-11-23T09:00:00.000Z',
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

function policyDir(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries({ 'policy.yaml': DESK_POLICY, 'directory.yaml': DESK_DIRECTORY, ...files })) {
    mkdirSync(join(dir, name, path, '..'), { recursive: true });
    writeFileSync(join(dir, name, path), text);
  }
  return join(dir, name);
}

const SCENARIO = `scenarios:
  - name: A refund of 480
    request: { action: { type: refund.issue, params: { amount: 480.00 USD, order: o1 } } }
    expect: { effect: approval, lane: finance, when_nobody_answers: { outcome: expired } }
`;

describe('policy check', () => {
  it('answers SARIF 2.1.0 with the path, line and column of each finding, and exits as ever', async () => {
    const broken = policyDir('sarif #1', { 'policy.yaml': DESK_POLICY.replace('usd(250)', 'usd(250') });
    const { code, out } = await countersign('policy', 'check', broken, '--sarif');
    const log = JSON.parse(out) as { runs: [{ tool: { driver: { rules: { id: string }[] } }; results: { ruleId: string; ruleIndex: number }[] }] };
    expect(code).toBe(1);
    expect(log).toMatchObject({
      version: '2.1.0',
      runs: [
        {
          tool: { driver: { name: 'countersign' } },
          results: [
            {
              ruleId: 'cel_syntax',
              level: 'error',
              message: { text: expect.stringContaining('refund_over_250: ') as string },
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: expect.stringMatching(/^file:\/\/\/.*\/sarif%20%231\/policy\.yaml$/) as string },
                    region: { startLine: expect.any(Number) as number, startColumn: expect.any(Number) as number },
                  },
                  logicalLocations: [{ name: 'refund_over_250' }],
                },
              ],
            },
          ],
        },
      ],
    });
    for (const result of log.runs[0].results) expect(log.runs[0].tool.driver.rules[result.ruleIndex]?.id).toBe(result.ruleId);
    const doubts = await countersign('policy', 'check', policyDir('sarif good', {}), '--sarif');
    expect([doubts.code, [...new Set(doubts.out.match(/"level": "\w+"/g))]]).toEqual([0, ['"level": "warning"']]);
  });
});

describe('policy schema', () => {
  it('answers the schema of the file that is named, a policy unless said otherwise', async () => {
    expect(JSON.parse((await countersign('policy', 'schema')).out)).toMatchObject({ title: 'Countersign policy', additionalProperties: false });
    expect(JSON.parse((await countersign('policy', 'schema', 'scenarios')).out)).toMatchObject({ required: ['scenarios'] });
    expect(await countersign('policy', 'schema', 'nothing')).toMatchObject({ code: 2 });
  });
});

describe('policy diff', () => {
  it('says in words what changed, or as JSON; exits 1 where one of the two is broken', async () => {
    const [old, now] = [policyDir('old', {}), policyDir('new', { 'policy.yaml': DESK_POLICY.replace('within: 30m', 'within: 45m') })];
    const { code, out } = await countersign('policy', 'diff', old, now);
    expect([code, out]).toEqual([0, expect.stringContaining('row refund_over_250: changed\n  who is asked:\n    was  finance manager for 30m by email')]);
    expect(JSON.parse((await countersign('policy', 'diff', old, now, '--json')).out)).toMatchObject({
      changes: [{ kind: 'row', name: 'refund_over_250', change: 'changed', loosens: false, details: [{ what: 'who is asked' }] }],
    });
    const broken = policyDir('old-broken', { 'policy.yaml': DESK_POLICY.replace('usd(250)', 'usd(250') });
    expect(await countersign('policy', 'diff', broken, now)).toMatchObject({ code: 1, err: expect.stringContaining('policy_broken: ') as string });
  });
});

describe('policy test', () => {
  it('exits 0 where all scenarios pass, and says how many', async () => {
    const good = policyDir('good', { 'scenarios/refunds.yaml': SCENARIO });
    expect(await countersign('policy', 'test', good)).toEqual({ code: 0, out: '1 of 1 scenarios pass\n', err: '' });
    expect(JSON.parse((await countersign('policy', 'test', good, '--json')).out)).toMatchObject({
      ok: true,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      scenarios: [{ name: 'A refund of 480', file: 'scenarios/refunds.yaml', line: 2, ok: true }],
      findings: [],
    });
  });

  it('exits 1 where one fails, with file, line and column, what was expected and what came', async () => {
    const bad = policyDir('bad', { 'scenarios/refunds.yaml': SCENARIO.replace('lane: finance', 'lane: customer') });
    expect(await countersign('policy', 'test', bad)).toEqual({
      code: 1,
      out: 'scenarios/refunds.yaml:4:39 error scenario_fails: A refund of 480: the lane should be customer, and is finance\n0 of 1 scenarios pass\n',
      err: '',
    });
    expect(JSON.parse((await countersign('policy', 'test', bad, '--json')).out)).toMatchObject({ ok: false, findings: [{ code: 'scenario_fails', line: 4 }] });
  });

  it('exits 1 where the policy is broken, with its findings, and runs nothing', async () => {
    const broken = policyDir('broken', { 'policy.yaml': DESK_POLICY.replace('usd(250)', 'usd(250'), 'scenarios/refunds.yaml': SCENARIO });
    const { code, out } = await countersign('policy', 'test', broken);
    expect([code, out]).toEqual([1, expect.stringMatching(/^policy\.yaml:\d+:\d+ error cel_syntax[\s\S]*No scenario was run: mend the policy first\n$/)]);
  });

  it('exits 3 where there is no directory', async () => {
    expect(await countersign('policy', 'test', join(dir, 'nowhere'))).toMatchObject({ code: 3, err: expect.stringContaining('file_unreadable: ') as string });
  });
});
