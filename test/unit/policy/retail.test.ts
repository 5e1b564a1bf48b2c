import { existsSync, readFileSync } from 'node:fs';
import { join, resolve as toPath } from 'node:path';
import { RequestSchema } from '../../../domain/request';
import type { Plan } from '../../../domain/plan';
import { readActions, toCents, toRequest } from '../../../examples/retail/request';
import { checkAgainstDirectory, formatFindings, resolve } from '../../../policy';
import { compileExample, exampleDirectory } from './support';

const root = toPath(__dirname, '../../..');
const data = process.env['COUNTERSIGN_RETAIL_DATA'] ?? join(root, '../shared/data/tau2-retail');
const file = join(data, 'actions.jsonl');
const present = existsSync(file);

describe('the retail policy', () => {
  it('has no finding, alone or against its directory', () => {
    const { policy, findings } = compileExample('retail');
    expect(formatFindings(findings)).toBe('');
    expect(formatFindings(checkAgainstDirectory(policy, exampleDirectory('retail')))).toBe('');
  });

  it('rounds dollars to cents and never cuts them', () => {
    expect([1285.12, 0.29, -16.63, 252.06, 0, 1030.4].map(toCents)).toEqual([128512, 29, -1663, 25206, 0, 103040]);
  });

  it('names the line that is no action', () => {
    expect(() => readActions('\n{"task":"1"}')).toThrow(/Line 2 of the retail actions cannot be read/);
    expect(() => readActions('not json')).toThrow(/Line 1 .* it is not JSON/);
  });
});

(present ? describe : describe.skip)(
  `the 180 actions of the retail agent${present ? '' : ' (skipped: the data folder is missing, set COUNTERSIGN_RETAIL_DATA)'}`,
  () => {
    const plans = (): Map<string, Plan> => {
      const { policy } = compileExample('retail');
      const found = new Map<string, Plan>();
      for (const line of readActions(readFileSync(file, 'utf8'))) {
        const request = RequestSchema.parse(toRequest(line, { type: 'poll' }));
        const resolved = resolve(policy, {
          action: request.action,
          facts: request.facts,
          evidence: request.evidence.map((e) => e.name),
          requester: { agent: 'retail', run: request.run, onBehalfOf: request.on_behalf_of ?? null },
          tenant: 'shop',
        });
        if (!resolved.ok) throw new Error(`${line.action_id}: ${resolved.issues.map((i) => i.message).join('; ')}`);
        found.set(line.action_id, resolved.plan);
      }
      return found;
    };

    it('become 47 finance approvals (22 with one sign-off, 25 with two), 4 escalations, 11 security approvals and 118 allowed', () => {
      const all = [...plans().values()];
      const finance = all.filter((p) => p.effect === 'approval' && p.lane === 'finance');
      expect({
        all: all.length,
        finance: finance.length,
        one: finance.filter((p) => p.signOffs.length === 1).length,
        two: finance.filter((p) => p.signOffs.length === 2).length,
        escalations: all.filter((p) => p.effect === 'escalation' && p.lane === 'customer').length,
        security: all.filter((p) => p.effect === 'approval' && p.lane === 'security').length,
        allowed: all.filter((p) => p.effect === 'allow').length,
        unevaluated: all.filter((p) => p.rows.some((r) => r.unevaluated)).length,
      }).toEqual({ all: 180, finance: 47, one: 22, two: 25, escalations: 4, security: 11, allowed: 118, unevaluated: 0 });
    });

    it('say why with the amount that met the trigger', () => {
      const why = [...plans().values()].flatMap((p) => p.rows).find((r) => r.id === 'refund_over_250')?.why ?? '';
      expect(why).toMatch(
        /^action\.type \("order\.(return|cancel)"\) in \["order\.cancel", "order\.return"\] && action\.params\.amount \(USD [\d,.]+\) > usd\(250\)$/,
      );
    });
  },
);
