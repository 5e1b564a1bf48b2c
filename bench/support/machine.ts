/**
 * What the machine is, and what processes cost on it. Processor time and memory are read from /proc; elsewhere they are not known (null).
 * Must not import anything of the product.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

const TICKS_PER_SECOND = 100;

/** One line. */
export function describeMachine(): string {
  const [first] = cpus();
  const load = loadavg()[0] ?? 0;
  return `${String(cpus().length)} x ${first?.model ?? 'unknown processor'}, ${String(Math.round(totalmem() / 2 ** 30))} GiB, ${process.platform} ${release()}, Node ${process.version}, load at the start ${load.toFixed(1)}`;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone meanwhile, or no such system.
    return null;
  }
}

/** The fields of a stat line after the program's name, which may hold anything. */
const statOf = (pid: number): string[] | null => {
  const text = read(`/proc/${String(pid)}/stat`);
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ');
};

/** A process with its children: PostgreSQL is a family. */
function familyOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => Number(statOf(each)?.[1]) === pid);
  return [pid, ...children];
}

/** Milliseconds of processor time so far; of a family, its children's too, also of those that have ended. */
export function cpuMs(pid: number, family = false): number | null {
  if (process.platform !== 'linux') return null;
  const ticks = (family ? familyOf(pid) : [pid]).reduce((sum, each) => {
    const stat = statOf(each);
    const [user, system, endedUser, endedSystem] = (stat ?? []).slice(11, 15).map(Number);
    return sum + (user ?? 0) + (system ?? 0) + (endedUser ?? 0) + (endedSystem ?? 0);
  }, 0);
  return (ticks * 1000) / TICKS_PER_SECOND;
}

/** Memory that the process holds now, in MiB. */
export function residentMiB(pid: number): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${String(pid)}/status`) ?? '')?.[1];
  return kib === undefined ? null : Math.round(Number(kib) / 1024);
}
