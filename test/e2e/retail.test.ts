/**
 * The main job on real input: 180 actions of a retail agent through the whole system. Skipped by name where the data is missing.
 */
import { existsSync } from 'node:fs';
import { dataFile, runRetail } from '../../examples/retail/run';

const file = dataFile(process.env['COUNTERSIGN_RETAIL_DATA']);
const here = existsSync(file);
const suite = here ? describe : describe.skip;

suite(here ? 'the retail actions' : 'skipped: the retail data is not here', () => {
  it(
    'end as the table says: 47 refunds, 4 escalations and 11 address changes by people, 118 at once; each callback once, each history whole',
    async () => {
      const said: string[] = [];
      const right = await runRetail(file, (line) => said.push(line));
      expect(said.filter((line) => line.startsWith('WRONG'))).toEqual([]);
      expect(said).toContainEqual(
        'Plans      47 finance (22 with one sign-off, 25 with two), 4 escalations, 11 security, 118 allowed without a workflow; 62 workflows',
      );
      expect(said).toContain('Outcomes   180 of 180 as the table says');
      expect(said).toContainEqual(expect.stringMatching(/^Callbacks {2}62 owed, 62 received exactly once/));
      expect(said).toContainEqual(expect.stringMatching(/^Record {5}180 of 180 histories complete/));
      expect(right).toBe(true);
    },
    10 * 60_000,
  );
});
