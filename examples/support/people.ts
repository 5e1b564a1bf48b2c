/**
 * People and agents at the API, as any program would call it: sign in, see what waits, decide, read how it went.
 * Plain fetch; imports nothing of Countersign but types.
 */
import type { ApprovalEvent } from '../../domain/events';
import type { Move } from '../../domain/moves';

export interface Approval {
  readonly approval_id: string;
  readonly state: string;
  readonly ended: boolean;
  readonly headline: string;
  readonly level: string;
  readonly owner: string | null;
  readonly due_at: string | null;
  readonly packet_digest: string;
}

export interface TimelineEntry {
  readonly seq: number;
  readonly at: string;
  readonly text: string;
  readonly event: ApprovalEvent;
}

export interface Ticket {
  readonly approval_id: string;
  readonly queue: string;
  readonly owner: string;
  readonly title: string;
  readonly state: string;
}

/** The API said no: its code, and its sentence. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'Problem';
  }
}

export interface Door {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: object): Promise<T>;
}

/** Calls in the name of whoever the key or session token belongs to. */
export function door(apiUrl: string, token?: string): Door {
  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(new URL(path, apiUrl), {
      method,
      signal: AbortSignal.timeout(60_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    });
    const answer: unknown = await response.json();
    if (response.ok) return answer as T;
    const { code = String(response.status), detail = '' } = answer as { readonly code?: string; readonly detail?: string };
    throw new Problem(code, detail);
  }
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
}

export const timelineOf = async (as: Door, approvalId: string): Promise<readonly TimelineEntry[]> =>
  (await as.get<{ entries: TimelineEntry[] }>(`/v1/requests/${approvalId}/timeline`)).entries;

export interface PersonAtWork {
  readonly id: string;
  /** What is open and theirs to see, in this state. */
  open(state: 'waiting' | 'held'): Promise<readonly Approval[]>;
  tickets(): Promise<readonly Ticket[]>;
  /** Signs in, as for each decision that matters, and decides on the packet that was seen. */
  decide(approval: Approval, move: Move): Promise<void>;
}

export async function personAt(apiUrl: string, id: string): Promise<PersonAtWork> {
  const signIn = async (): Promise<Door> => door(apiUrl, (await door(apiUrl).post<{ token: string }>('/v1/dev/login', { person: id })).token);
  const session = await signIn();
  return {
    id,
    open: async (state) => (await session.get<{ items: Approval[] }>(`/v1/approvals?state=${state}&limit=100`)).items,
    tickets: async () => (await session.get<{ items: Ticket[] }>('/v1/tickets?limit=100')).items,
    async decide(approval, move) {
      const body = { ...move, packet_digest: approval.packet_digest };
      const path = `/v1/approvals/${approval.approval_id}/moves`;
      try {
        await (await signIn()).post(path, body);
      } catch (error) {
        // A quarter of an hour is a few seconds here: who was slow signs in again.
        if (!(error instanceof Problem) || error.code !== 'sign_in_too_old') throw error;
        await (await signIn()).post(path, body);
      }
    },
  };
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
