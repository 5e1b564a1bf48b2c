/**
 * How many of the worker's hands may wait for one host at once. A host that lets calls time out gets hardly any until it answers
 * again, so that however many calls one dead agent is owed, the others' decisions, mails and callbacks go on.
 * In this process alone: each worker has its own. Must not import the store, the workflow or client.
 */

/** Calls at one host that run at once; and those that may stand and wait for one of these to end. */
export const BERTHS = 16;
/** The same for a host whose last call timed out: enough to notice that it is back. */
export const BERTHS_OF_THE_SILENT = 2;
/** How long a call stands and waits, in milliseconds. */
const STAND_MS = 1_000;

/** Milliseconds before a call that was turned away comes again: soon at a busy host, ever later at a silent one. */
const BUSY_AGAIN_MS = 2_000;
const SILENT_AGAIN_MS = 15_000;
const AGAIN_MAX_MS = 600_000;

/** How a call ended, for what it says about the host. */
export type Heard = 'answered' | 'silent' | 'other';

export type Berth = { readonly leave: (heard: Heard) => void } | { readonly busyForMs: number };

/** How many fit in, and how many may stand and wait. */
export interface Room {
  readonly places: number;
  readonly standing: number;
}

interface Host {
  inside: number;
  silent: boolean;
  /** Turned away since it was last heard. */
  turnedAway: number;
  readonly standing: (() => void)[];
}

export interface Berths {
  /** A place at a host, kept until `leave`; or how long to stay away. `forMs`: how long this call stands and waits at most. */
  enter(host: string, forMs?: number): Promise<Berth>;
}

export function createBerths(standMs: number = STAND_MS, { places, standing }: Room = { places: BERTHS, standing: BERTHS }): Berths {
  const hosts = new Map<string, Host>();
  const room = (host: Host): boolean => host.inside < (host.silent ? BERTHS_OF_THE_SILENT : places);

  function take(name: string, host: Host): Berth {
    host.inside += 1;
    let left = false;
    return {
      leave(heard) {
        if (left) return;
        left = true;
        host.inside -= 1;
        if (heard === 'silent') host.silent = true;
        if (heard === 'answered') [host.silent, host.turnedAway] = [false, 0];
        if (room(host)) host.standing.shift()?.();
        if (host.inside === 0 && host.standing.length === 0 && !host.silent) hosts.delete(name);
      },
    };
  }

  function turnAway(host: Host): Berth {
    host.turnedAway += 1;
    if (!host.silent) return { busyForMs: BUSY_AGAIN_MS };
    return { busyForMs: Math.min(AGAIN_MAX_MS, (SILENT_AGAIN_MS * Math.max(BERTHS_OF_THE_SILENT, host.turnedAway)) / BERTHS_OF_THE_SILENT) };
  }

  return {
    async enter(name, forMs = standMs) {
      const host = hosts.get(name) ?? { inside: 0, silent: false, turnedAway: 0, standing: [] };
      hosts.set(name, host);
      if (room(host)) return take(name, host);
      if (host.silent || host.standing.length >= standing) return turnAway(host);
      return await new Promise<Berth>((resolve) => {
        const called = (): void => {
          clearTimeout(timer);
          resolve(take(name, host));
        };
        const timer = setTimeout(() => {
          host.standing.splice(host.standing.indexOf(called), 1);
          resolve(turnAway(host));
        }, forMs);
        host.standing.push(called);
      });
    },
  };
}
