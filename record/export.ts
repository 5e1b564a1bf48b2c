/**
 * The record of one tenant as a file: JSON Lines, one row each, a first line that says what it is and a last one that counts.
 * Promises: what is written is read back alike; a file that was cut, or whose rows are not rows, is refused with the line's number.
 * Pure. It holds no public keys: those must come from elsewhere, or the file would vouch for itself.
 */
import { z } from 'zod';
import type { Json } from '../domain/json';
import { canonical, parseStrict } from './canonical';
import type { PersonalField, StoredEntry } from './entry';
import { RecordError } from './errors';
import type { CheckpointRow, LogRow } from './log';
import type { RecordExport, RequestDigests } from './verify';

/** Deeper than what an entry may hold: the row's own members stand around it. */
const DEPTH = 120;

const json = z.json() as unknown as z.ZodType<Json>;
const count = z.int().min(0);
const disclosed = z.strictObject({ salt: z.string(), value: json });
const sealed = { seal: z.string(), keyId: z.string() };
const Line = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('export'), v: z.literal(1), tenant: z.string() }),
  z.strictObject({
    kind: z.literal('entry'),
    tenant: z.string(),
    approvalId: z.string(),
    seq: count,
    type: z.string(),
    at: z.string(),
    commandId: z.string().nullable(),
    fields: z.record(z.string(), disclosed),
    personal: z.record(z.string(), z.string()),
    prev: z.string(),
    leaf: z.string(),
    ...sealed,
  }),
  z.strictObject({ kind: z.literal('personal'), approvalId: z.string(), seq: count, name: z.string(), salt: z.string(), value: json }),
  z.strictObject({ kind: z.literal('log'), tenant: z.string(), position: count, approvalId: z.string(), seq: count, leaf: z.string(), ...sealed }),
  z.strictObject({
    kind: z.literal('checkpoint'),
    tenant: z.string(),
    size: count,
    root: z.string(),
    note: z.string(),
    at: z.string(),
    previous: count,
    range: z.array(z.string()),
    ...sealed,
  }),
  z.strictObject({
    kind: z.literal('request'),
    approvalId: z.string(),
    agent: z.string(),
    kept: z.strictObject({ body: z.string(), packet: z.string(), action: z.string() }),
    found: z.strictObject({ body: z.string(), packet: z.string(), action: z.string(), plan: z.string() }),
  }),
  z.strictObject({ kind: z.literal('head'), approvalId: z.string(), seq: count, hash: z.string() }),
  z.strictObject({ kind: z.literal('end'), rows: count }),
]);

/** The lines of the file, without line ends. */
export function* exportLines(record: RecordExport): Generator<string> {
  let rows = 0;
  const line = (kind: string, row: object): string => {
    rows += 1;
    return canonical({ kind, ...row });
  };
  yield canonical({ kind: 'export', v: 1, tenant: record.tenant });
  for (const entry of record.entries) yield line('entry', entry);
  for (const field of record.personal) yield line('personal', field);
  for (const row of record.log) yield line('log', row);
  for (const checkpoint of record.checkpoints) yield line('checkpoint', checkpoint);
  for (const request of record.requests) yield line('request', request);
  for (const head of record.heads) yield line('head', head);
  yield canonical({ kind: 'end', rows });
}

const bad = (line: number, what: string, cause?: unknown): RecordError =>
  new RecordError('bad_export', `Line ${String(line)} of the export cannot be read: ${what}; export it again`, null, { cause });

function readLine(text: string, number: number): z.output<typeof Line> {
  let value: Json;
  try {
    value = parseStrict(text, DEPTH);
  } catch (cause) {
    throw bad(number, cause instanceof RecordError ? cause.message : 'it is not JSON', cause);
  }
  const read = Line.safeParse(value);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw bad(number, `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is no row of a record'}`.trim(), read.error);
}

/** Reads the lines of a file; empty lines at its end are passed over. */
export function readExport(lines: Iterable<string>): RecordExport {
  const reader = new ExportReader();
  for (const line of lines) reader.line(line);
  return reader.done();
}

/** The same, line by line, for files that are streamed. */
export class ExportReader {
  private tenant: string | null = null;
  private ended = false;
  private number = 0;
  private rows = 0;
  private readonly entries: StoredEntry[] = [];
  private readonly personal: PersonalField[] = [];
  private readonly log: LogRow[] = [];
  private readonly checkpoints: CheckpointRow[] = [];
  private readonly requests: RequestDigests[] = [];
  private readonly heads: { approvalId: string; seq: number; hash: string }[] = [];

  line(text: string): void {
    this.number += 1;
    if (this.ended) {
      if (text.trim() === '') return;
      throw bad(this.number, 'it stands after the end');
    }
    const line = readLine(text, this.number);
    if ((line.kind === 'export') !== (this.number === 1)) throw bad(this.number, 'the first line, and only that, says which record it is');
    this.take(line);
  }

  private take(line: z.output<typeof Line>): void {
    if (line.kind === 'end') {
      if (line.rows !== this.rows) throw bad(this.number, `it counts ${String(line.rows)} rows, but ${String(this.rows)} are there`);
      this.ended = true;
      return;
    }
    if (line.kind === 'export') {
      this.tenant = line.tenant;
      return;
    }
    this.rows += 1;
    switch (line.kind) {
      case 'entry': {
        const { kind: _kind, ...row } = line;
        this.entries.push(row);
        return;
      }
      case 'personal': {
        const { kind: _kind, ...row } = line;
        this.personal.push(row);
        return;
      }
      case 'log': {
        const { kind: _kind, ...row } = line;
        this.log.push(row);
        return;
      }
      case 'checkpoint': {
        const { kind: _kind, ...row } = line;
        this.checkpoints.push(row);
        return;
      }
      case 'request': {
        const { kind: _kind, ...row } = line;
        this.requests.push(row);
        return;
      }
      case 'head': {
        const { kind: _kind, ...row } = line;
        this.heads.push(row);
      }
    }
  }

  done(): RecordExport {
    if (this.tenant === null || !this.ended) throw bad(this.number, 'the file ends too early');
    return {
      tenant: this.tenant,
      entries: this.entries,
      personal: this.personal,
      log: this.log,
      checkpoints: this.checkpoints,
      requests: this.requests,
      heads: this.heads,
    };
  }
}
