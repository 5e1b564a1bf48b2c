/**
 * Agents and people as they use the API over HTTP: they write down what they are about to do and what they were told, and do not give up.
 * A request is sent again under its Idempotency-Key until it is acknowledged, a move under its own until it is answered.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOutcome, type State } from '../../domain/outcome';
import { RequestSchema, type RequestDraft } from '../../domain/request';
import { digest } from '../../record/canonical';
import type { AgentLine, PersonLine } from '../support/checker';
import { openJournal } from './journal';

/** Longer than the API's own patience with a move. */
const CALL_MS = 40_000;
const PAUSE_MS = 150;
/** Refusals that say: not now. The person tries again, with another command. */
const NOT_NOW = new Set(['command_expired', 'not_open']);

interface Heard {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Asked {
  readonly approvalId: string;
  readonly packetDigest: string;
}

/** What a person says. */
export interface Choice {
  readonly person: string;
  readonly move: 'approve' | 'deny';
}

export interface Outsiders {
  ask(key: string, request: RequestDraft): Promise<Asked>;
  /** Both at once; returns where it stands when both have been answered. */
  race(asked: Asked, choices: readonly Choice[]): Promise<string>;
  /** Lines that are on the disk. */
  progress(): number;
  close(): void;
}

export interface OutsidersOptions {
  readonly dir: string;
  readonly tenant: string;
  readonly agentKey: string;
  readonly apiUrl: string;
}

export const agentsJournal = (dir: string, tenant: string): string => join(dir, `${tenant}.agents.jsonl`);
export const peopleJournal = (dir: string, tenant: string): string => join(dir, `${tenant}.people.jsonl`);
export const receiverJournal = (dir: string, tenant: string): string => join(dir, `${tenant}.receiver.jsonl`);

export function openOutsiders({ dir, tenant, agentKey, apiUrl }: OutsidersOptions): Outsiders {
  const agents = openJournal<AgentLine>(agentsJournal(dir, tenant));
  const people = openJournal<PersonLine>(peopleJournal(dir, tenant));
  const tokens = new Map<string, Promise<string>>();

  /** Null when nobody answered. */
  async function call(path: string, body: object, headers: Readonly<Record<string, string>>): Promise<Heard | null> {
    try {
      const response = await fetch(`${apiUrl}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_MS),
      });
      return { status: response.status, body: (await response.json()) as Heard['body'] };
    } catch {
      return null;
    }
  }

  /** Again and again, until somebody says something that is not "later". */
  async function insist(path: string, body: object, headers: Readonly<Record<string, string>>): Promise<Heard> {
    for (;;) {
      const heard = await call(path, body, headers);
      const later = heard === null || heard.status === 202 || heard.status === 429 || heard.status >= 500;
      if (!later) return heard;
      await sleep(PAUSE_MS);
    }
  }

  const signIn = async (person: string): Promise<string> => {
    const { status, body } = await insist('/v1/dev/login', { person, tenant }, {});
    if (status !== 200) throw new Error(`${person} could not sign in: ${JSON.stringify(body)}`);
    return String(body['token']);
  };
  const tokenOf = (person: string): Promise<string> => {
    const known = tokens.get(person) ?? signIn(person);
    tokens.set(person, known);
    return known;
  };

  async function decide({ approvalId, packetDigest }: Asked, { person, move }: Choice): Promise<string> {
    const token = await tokenOf(person);
    for (let attempt = 1; ; attempt += 1) {
      const key = `${approvalId}-${person}-${String(attempt)}`;
      const about = { key, approvalId, person, move };
      await people.write({ wrote: 'moves', ...about });
      const { status, body } = await insist(
        `/v1/approvals/${approvalId}/moves`,
        { type: move, reason: 'Looked at it', packet_digest: packetDigest },
        { authorization: `Bearer ${token}`, 'idempotency-key': key },
      );
      if (typeof body['command_id'] !== 'string')
        throw new Error(`A move of ${person} on ${approvalId} was answered ${String(status)}: ${JSON.stringify(body)}`);
      const code = status === 200 ? null : String(body['code']);
      const state = String(body['state']);
      await people.write({
        wrote: 'told',
        ...about,
        commandId: body['command_id'],
        accepted: code === null,
        state,
        seq: typeof body['seq'] === 'number' ? body['seq'] : null,
        code,
      });
      if (code === null || !NOT_NOW.has(code)) return state;
      await sleep(PAUSE_MS);
    }
  }

  return {
    async ask(key, request) {
      await agents.write({ wrote: 'asks', key, actionDigest: digest(RequestSchema.parse(request).action) });
      const { status, body } = await insist('/v1/requests', request, { authorization: `Bearer ${agentKey}`, 'idempotency-key': key });
      if (status !== 200 && status !== 201) throw new Error(`The request ${key} was answered ${String(status)}: ${JSON.stringify(body)}`);
      const approvalId = String(body['approval_id']);
      await agents.write({ wrote: 'acknowledged', key, approvalId, actionDigest: String(body['action_digest']) });
      return { approvalId, packetDigest: String(body['packet_digest']) };
    },
    async race(asked, choices) {
      const states = await Promise.all(choices.map((choice) => decide(asked, choice)));
      return states.find((state) => isOutcome(state as State)) ?? states[0] ?? '';
    },
    progress: () => agents.count() + people.count(),
    close() {
      agents.close();
      people.close();
    },
  };
}
