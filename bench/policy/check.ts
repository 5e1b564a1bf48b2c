/**
 * One process that checks the policy in a file, started by run.ts: how long the check takes, how long parsing alone, and the memory of it.
 * The check comes first, so that the greatest memory is its own and not that of both.
 *
 *   node --import tsx bench/policy/check.ts FILE
 */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { compilePolicy, formatFindings } from '../../policy';
import { round } from '../support/numbers';

const file = { path: 'policy.yaml', text: readFileSync(process.argv[2] ?? '', 'utf8') };
const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

/** Milliseconds of processor time. */
function timed(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return round((user + system) / 1000, 1);
}

const check = (): void => {
  const { policy, findings } = compilePolicy([file]);
  if (!policy) throw new Error(formatFindings(findings));
};
const parse = (): void => {
  if (parseDocument(file.text).errors.length > 0) throw new Error('The file is no YAML');
};

const emptyMiB = mebibytes(process.memoryUsage().rss);
const firstMs = timed(check);
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
// Once each is code that was never run; what is compared is the second time.
timed(parse);
const yamlMs = timed(parse);
const checkMs = timed(check);
process.stdout.write(JSON.stringify({ firstMs, yamlMs, checkMs, emptyMiB, peakMiB }));
