/**
 * What every command is handed, and how it ends: exit codes, one-sentence errors, JSON or text.
 */
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { oneLine } from '../../domain/text';
import type { Fetch } from '../sdk/http';

/** 0: done. 1: a finding, a refusal. 2: wrong usage. 3: Countersign, its store or a file cannot be reached. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the session of the development login is kept. */
  readonly configDir: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly fetch: Fetch;
  readonly now: () => string;
  /** Whether standard output is a terminal that shows colours. */
  readonly colours?: boolean;
  /** Whether standard error is a terminal, where a line may be written over. */
  readonly rewrites?: boolean;
}

/** For people at a terminal; what goes into a file or a pipe stays plain. */
export const styled = (world: World, style: 'bold' | 'dim' | 'red' | 'yellow' | 'green', text: string): string =>
  world.colours ? styleText(style, text) : text;

/** Ends a command with a code and one sentence. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    readonly exit: Exit,
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface Shared {
  readonly json?: boolean;
  readonly url?: string;
}

/** Answers on standard output: the value itself as JSON, or the text for people. */
export function answer(world: World, shared: Shared, value: unknown, text: () => string): void {
  world.out(shared.json ? `${JSON.stringify(value)}\n` : `${text().replace(/\n*$/, '')}\n`);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const blank = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  };
  // What agents wrote is shown on one line and without what could steer a terminal.
  const grid = new Table({ head: [...head], chars: blank, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } });
  grid.push(...rows.map((row) => row.map((cell) => oneLine(cell, 80))));
  return grid.toString();
}
