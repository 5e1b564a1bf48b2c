/**
 * How a benchmark begins and ends: what it runs on, its tables, one line of JSON for machines.
 * Must not import anything of the product.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { describeMachine } from './machine';

/** The options that every benchmark takes, and those of its own with their defaults. */
export function options<T extends Readonly<Record<string, number>>>(defaults: T, quick: Partial<T>): T & { readonly quick: boolean } {
  const names = Object.keys(defaults);
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])) },
  });
  const isQuick = values.quick === true;
  const chosen: Record<string, number> = { ...defaults, ...(isQuick ? quick : {}) };
  for (const name of names) {
    const given = (values as Record<string, unknown>)[name];
    if (given === undefined) continue;
    chosen[name] = Number(given);
    if (!Number.isFinite(chosen[name])) throw new Error(`--${name} is a number`);
  }
  return { ...(chosen as unknown as T), quick: isQuick };
}

export const say = (line: string): void => void process.stdout.write(`${line}\n`);

export function begin(title: string, settings: Readonly<Record<string, unknown>>): string {
  const machine = describeMachine();
  say(`\n${title}\n  machine: ${machine}\n  settings: ${JSON.stringify(settings)}`);
  return machine;
}

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const made = new Table({ head: [...head], style: { head: [], border: [] } });
  for (const row of rows) made.push([...row]);
  say(made.toString());
}

/** The last line: everything measured, for a program to read. */
export const end = (bench: string, result: Readonly<Record<string, unknown>>): void => say(JSON.stringify({ bench, ...result }));

/** Runs it, and ends the process whatever it left open. */
export function program(main: () => Promise<void>): void {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    },
  );
}
