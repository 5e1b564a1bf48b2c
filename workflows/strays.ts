/**
 * Messages to an approval that are none of ours: what anyone who may write to the engine can send with its UI or its command line.
 * Must not import anything.
 */
import { ApplicationFailure, patched, setDefaultSignalHandler, setDefaultUpdateHandler } from '@temporalio/workflow';

/** Guards the change: what a history of before holds was ignored, and is replayed so. */
const UNSIGNED = 'unsigned-messages-are-recorded';

/** So many does one run hand on to be refused on the record, which has a limit of its own. */
const STRAYS_MAX = 25;

/**
 * Messages that are none of ours. They may only tighten, and these do not: they are refused, and the record is told of them as long as
 * there are not too many.
 *
 * There is no standing default handler, because the SDK fails the workflow's task, again and again, when one is set and a message of a
 * reserved name comes: anyone could stop an approval with it. What has no handler waits in the SDK's buffer until the end of the
 * activation; `look` takes it out from there.
 */
export class Strays {
  private taken = 0;
  constructor(private readonly record: (message: string) => void) {}

  get full(): boolean {
    return this.taken >= STRAYS_MAX;
  }

  /** A signal has no answer, and a history of before may hold one. */
  signal(message: string): void {
    if (patched(UNSIGNED)) this.take(message);
  }

  /** The answer to an update that is refused. */
  refuse(message: string, code: string): ApplicationFailure {
    this.take(message);
    return ApplicationFailure.nonRetryable(`${code}: a decision is made through the API, which sends {commandId}, the id of a stored command`, code);
  }

  /** Called after every message, as a condition that never holds. */
  look(): false {
    this.empty((set) => setDefaultSignalHandler(set ? (name) => this.signal(`A signal "${printable(name)}" is not known here`) : undefined));
    // Nobody waits for the answer to a signal; an update that nobody takes is refused by the SDK.
    if (this.full) return false;
    this.empty((set) =>
      setDefaultUpdateHandler(set ? (name) => Promise.reject(this.refuse(`An update "${printable(name)}" is not known here`, 'unknown_update')) : undefined),
    );
    return false;
  }

  private take(message: string): void {
    if (this.full) return;
    this.taken += 1;
    this.record(message);
  }

  private empty(handle: (set: boolean) => void): void {
    for (let done = false; !done;) {
      try {
        handle(true);
        done = true;
      } catch {
        // The SDK has dropped a message whose name is reserved for itself.
        this.signal('A message with a name that is reserved for the engine is not known here');
      }
    }
    handle(false);
  }
}

/** A name that somebody gave: short, and without what a page or a terminal would act on. */
const printable = (name: string): string => name.slice(0, 60).replace(/[^\x20-\x7e]/g, '?');
