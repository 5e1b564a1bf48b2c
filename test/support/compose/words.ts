/**
 * What a service said of why it does not run: short enough for a test's report, with the words that matter and without the stacks behind
 * them. Pure.
 */

/** Whether it ended because another program has a port of its own. */
export const lostPort = (said: string): boolean => /address already in use|EADDRINUSE|port_in_use/i.test(said);

const SHOWN = 3;
const LINE = 400;

/** Why each start ended: its first complaint, and the words on which it ended. Starts that say the same are told once. */
export function whyOf(starts: readonly string[]): string {
  if (starts.length === 0) return 'it was never started';
  const reasons = starts.map(reasonOf);
  const times = starts.length === 1 ? 'one start' : `${String(starts.length)} starts`;
  if (new Set(reasons.map(withoutNumbers)).size === 1) return `${times}: ${reasons.at(-1) ?? ''}`;
  const from = Math.max(0, reasons.length - SHOWN);
  return [`${times}, the last of them:`, ...reasons.slice(from).map((reason, at) => `${String(from + at + 1)}: ${reason}`)].join('\n');
}

/** Ports and times differ from start to start. */
const withoutNumbers = (reason: string): string => reason.replace(/\d+/g, '#');

type Weight = 'end' | 'trouble' | 'word';

interface Line {
  readonly weight: Weight;
  readonly text: string;
}

function reasonOf(said: string): string {
  const lines = said.split('\n').flatMap((line) => read(line) ?? []);
  const first = lines.find(({ weight }) => weight !== 'word');
  const end = lines.findLast(({ weight }) => weight === 'end');
  const told = [...new Set([first, end])].flatMap((line) => (line ? [line.text] : []));
  return told.length > 0 ? told.join(', then ') : (lines.at(-1)?.text ?? 'it said nothing');
}

/** Null for the lines of a stack. */
function read(line: string): Line | null {
  const text = line.trim();
  if (text === '' || /^\s+at |^\t|^goroutine \d|^[\w./*()[\]-]+\(.*\)$/.test(line)) return null;
  const entry = entryIn(text);
  if (entry) return entry;
  const weight = /^(panic|fatal)\b|\b(FATAL|PANIC): /i.test(text)
    ? 'end'
    : /\b(error|failed|refused|unable|cannot|could not)\b/i.test(text)
      ? 'trouble'
      : 'word';
  return { weight, text: text.slice(0, LINE) };
}

/** A line of a structured log, Temporal's or ours, without the stack that it carries. */
function entryIn(text: string): Line | null {
  let entry: Readonly<Record<string, unknown>>;
  try {
    entry = JSON.parse(text) as typeof entry;
  } catch {
    return null;
  }
  const { level, msg, error, err } = entry;
  if (typeof msg !== 'string') return null;
  const ended = level === 'fatal' || level === 'panic' || level === 'dpanic' || (typeof level === 'number' && level >= 60);
  const troubled = level === 'error' || (typeof level === 'number' && level >= 50);
  const cause = typeof error === 'string' ? error : typeof err === 'object' && err !== null && 'message' in err ? String(err.message) : null;
  return { weight: ended ? 'end' : troubled ? 'trouble' : 'word', text: (cause === null ? msg : `${msg}: ${cause}`).slice(0, LINE) };
}
