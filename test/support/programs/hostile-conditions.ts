/**
 * A process of its own for conditions that may be meant to hang it or to use up its memory: compiles each, and says what came of it.
 * Reads a list of texts as JSON from its input; writes one line of JSON for each, so that what was reached is known also where it dies.
 *
 *   node --max-old-space-size=96 --import tsx test/support/programs/hostile-conditions.ts
 */
import { createEngine } from '../../../policy/cel/engine';
import { builtinNames, type Names } from '../../../policy/cel/names';
import type { FieldType } from '../../../policy/units';

const names: Names = new Map<string, FieldType>([
  ...builtinNames(['pay', 'close']),
  ['action.params.amount', { kind: 'money' }],
  ['action.params.days', { kind: 'int' }],
  ['action.params.to', { kind: 'string' }],
  ['action.params.tags', { kind: 'list' }],
  ['facts.tier', { kind: 'enum', values: ['gold', 'silver'] }],
]);
const engine = createEngine(names);

async function main(): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  for (const text of JSON.parse(Buffer.concat(chunks).toString('utf8')) as string[]) {
    const { expression, problems } = engine.compile(text, 'bool');
    process.stdout.write(`${JSON.stringify({ refused: expression === null, codes: problems.map((p) => p.code) })}\n`);
  }
  const polluted = Object.keys(Object.prototype).length > 0 || ({} as Record<string, unknown>)['polluted'] !== undefined;
  process.stdout.write(`${JSON.stringify({ peakMiB: Math.round(process.resourceUsage().maxRSS / 1024), polluted })}\n`);
}

void main();
