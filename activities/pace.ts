/**
 * Which agents answer soon, as far as this worker knows: a callback to one of these may ride in the workflow task that decides, which
 * resumes the agent several round trips earlier; any other is an activity of its own, for which nothing waits.
 * Promises: a host is quick only after it has answered soon, and no longer from the moment that a call to it is slow or fails.
 * In this process alone: each worker learns by itself. Must not import the store, the workflow or client.
 */

/** A call that takes longer, in milliseconds, is slow. */
const SOON_MS = 1_000;
/** Hosts remembered; beyond them the one that was heard of longest ago is forgotten, and is learnt again. */
const HOSTS_MAX = 10_000;

export interface Pace {
  isQuick(url: string): boolean;
  /** Passes on what `call` gives, and learns from how long it took and whether it succeeded. */
  watch<T>(url: string, call: () => Promise<T>, succeeded: (given: T) => boolean): Promise<T>;
}

export function createPace(soonMs: number = SOON_MS): Pace {
  const quick = new Set<string>();
  return {
    isQuick: (url) => quick.has(new URL(url).host),
    async watch(url, call, succeeded) {
      const { host } = new URL(url);
      const seen = { late: false };
      // Not only at its end: those decided meanwhile must not wait for it as well.
      const timer = setTimeout(() => {
        seen.late = true;
        quick.delete(host);
      }, soonMs);
      try {
        const given = await call();
        if (!seen.late && succeeded(given)) learn(host);
        else quick.delete(host);
        return given;
      } catch (error) {
        quick.delete(host);
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };

  function learn(host: string): void {
    quick.delete(host);
    const [oldest] = quick;
    if (oldest !== undefined && quick.size >= HOSTS_MAX) quick.delete(oldest);
    quick.add(host);
  }
}
