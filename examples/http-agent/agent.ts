/**
 * An agent that asks over HTTP, pauses, and resumes when it is called back with an answer that it has verified.
 *
 * A question that comes meanwhile it answers with its key, if it knows the answer. It acts exactly once on each approval, whatever is sent how often and whenever it is killed; it ignores replays, and turns
 * away what is unsigned, altered, stale, not proved by a token, or about something it never asked.
 *
 *   COUNTERSIGN_URL=… COUNTERSIGN_KEY=… COUNTERSIGN_SECRET=whsec_… node --import tsx examples/http-agent/agent.ts request.json
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openJournal, type Entry } from './journal';
import { isResult, openCallback, Refused, tokenChecker, type Question, type Result } from './verify';

export type Acted = Extract<Entry, { type: 'acted' }>;

export interface AgentOptions {
  /** Where Countersign is. */
  readonly apiUrl: string;
  readonly key: string;
  /** `whsec_…`; several while one is changed. */
  readonly secret: string | readonly string[];
  /** The file that the agent remembers in. */
  readonly journal: string;
  /** 0 or left out: any free port. */
  readonly port?: number;
  readonly onEntry?: (entry: Entry) => void;
  /** What it answers to a question of somebody who is to decide; null or left out: nothing. */
  readonly answer?: (question: Question) => string | null;
  readonly now?: () => Date;
}

export interface Submitted {
  readonly approvalId: string;
  readonly state: string;
  /** What to do while waiting. */
  readonly meanwhile: { readonly agent: string; readonly operator: string };
}

export interface Agent {
  /** Where it is called back. */
  readonly url: string;
  /** Asks, and pauses. `resume` is filled in when left out. The same key asks the same thing once. */
  submit(request: Readonly<Record<string, unknown>>, key?: string): Promise<Submitted>;
  /** What it has acted on, in order. */
  outcomes(): readonly Acted[];
  entries(): readonly Entry[];
  waitFor(approvalId: string, timeoutMs?: number): Promise<Acted>;
  stop(): Promise<void>;
}

/** Countersign did not take the request; asking again changes nothing. */
export class NotTaken extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'NotTaken';
  }
}

const BODY_MAX = 512 * 1024;
const SUBMIT_ATTEMPTS = 5;

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { apiUrl, key: apiKey, now = () => new Date() } = options;
  const secrets = typeof options.secret === 'string' ? [options.secret] : options.secret;
  const journal = openJournal(options.journal, now);
  const checkToken = tokenChecker(apiUrl, now);
  const asking = new Set<Promise<unknown>>();
  const watchers = new Set<(acted: Acted) => void>();

  const paused = (approvalId: string) => journal.entries.find((entry) => entry.type === 'paused' && entry.approvalId === approvalId);
  const actedOn = (approvalId: string) => journal.entries.find((entry): entry is Acted => entry.type === 'acted' && entry.approvalId === approvalId);
  const append: typeof journal.append = (step) => {
    const entry = journal.append(step);
    options.onEntry?.(entry);
    if (entry.type === 'acted') for (const tell of [...watchers]) tell(entry);
    return entry;
  };

  /** Verifies and acts, once. Between the look into the journal and its new line nothing else runs. */
  async function settle(result: Result, messageId: string | null): Promise<'acted' | 'replayed'> {
    const { approvalId, outcome } = result;
    // The answer can be faster than the reply to our own question.
    if (!paused(approvalId)) await Promise.allSettled([...asking]);
    const pause = paused(approvalId);
    if (pause?.type !== 'paused') throw new Refused(`never asked for ${approvalId}`);
    const tokenId = await checkToken(result);
    if (result.actionDigest !== pause.actionDigest) throw new Refused('the answer is about another action');
    if (actedOn(approvalId)) {
      append({ type: 'replayed', approvalId, messageId });
      return 'replayed';
    }
    append({ type: 'acted', approvalId, outcome, did: whatToDo(result), reason: result.reason, messageId, tokenId });
    return 'acted';
  }

  const server = createServer((request, response) => {
    const reply = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json', ...(request.complete ? {} : { connection: 'close' }) }).end(JSON.stringify(body));
    receive(request).then(
      (what) => reply(200, { [what]: true }),
      (error: unknown) => {
        const refusal =
          error instanceof Refused || (error instanceof Error && 'code' in error && /^ERR_(JWT|JWS|JOSE_(ALG|NOT)|JWKS_(NO|MULT))/.test(String(error.code)));
        append({ type: 'turned_away', why: error instanceof Error ? error.message : String(error) });
        // Anything else, such as keys that cannot be fetched now, is not the sender's fault: it tries again.
        reply(refusal ? 401 : 503, { refused: true });
      },
    );
  });

  async function receive(request: IncomingMessage): Promise<'acted' | 'replayed' | 'answered' | 'ignored'> {
    if (request.method !== 'POST') throw new Refused(`called with ${request.method ?? 'nothing'}`);
    const { id, message } = openCallback(await read(request), request.headers, secrets);
    if ('result' in message) return settle(message.result, id);
    if ('asked' in message) return answerTo(message.asked);
    return 'ignored';
  }

  /** The same words under the same key, however often it is asked: one answer. */
  async function answerTo(asked: Question): Promise<'answered' | 'ignored'> {
    const { approvalId, question } = asked;
    const text = options.answer?.(asked) ?? null;
    if (text === null) return 'ignored';
    await post(apiUrl, apiKey, `${approvalId}/${question}`, { question, text }, `/v1/requests/${encodeURIComponent(approvalId)}/replies`).catch(
      (error: unknown) => {
        // Nobody waits for it any more.
        if (!(error instanceof NotTaken)) throw error;
      },
    );
    return 'answered';
  }

  async function ask(key: string, request: Readonly<Record<string, unknown>>): Promise<Submitted> {
    const reply = await post(apiUrl, apiKey, key, request).catch((error: unknown) => {
      if (error instanceof NotTaken) append({ type: 'refused', key, code: error.code, message: error.message });
      throw error;
    });
    const { approval_id: approvalId, action_digest: actionDigest, state, meanwhile, result } = reply;
    if (!paused(approvalId)) append({ type: 'paused', key, approvalId, actionDigest });
    // Allowed or blocked at once: the answer is here already, and is verified like any other.
    if (isResult(result) && !actedOn(approvalId)) await settle(result, null);
    return { approvalId, state, meanwhile };
  }

  function track<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    asking.add(settled);
    void settled.finally(() => asking.delete(settled));
    return work;
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;

  // Asked before a crash and not known to be taken: ask again, under the same key and in the same words.
  const answered = new Set(journal.entries.flatMap((entry) => (entry.type === 'paused' || entry.type === 'refused' ? [entry.key] : [])));
  for (const entry of [...journal.entries])
    if (entry.type === 'asked' && !answered.has(entry.key)) void track(ask(entry.key, entry.request)).catch(() => undefined);

  return {
    url,
    submit: (request, key = randomUUID()) => {
      const whole = { resume: { type: 'callback', url }, ...request };
      append({ type: 'asked', key, request: whole });
      return track(ask(key, whole));
    },
    outcomes: () => journal.entries.filter((entry): entry is Acted => entry.type === 'acted'),
    entries: () => [...journal.entries],
    waitFor: (approvalId, timeoutMs = 30_000) =>
      new Promise((resolve, reject) => {
        const already = actedOn(approvalId);
        if (already) return resolve(already);
        const finish = (): void => {
          clearTimeout(timer);
          watchers.delete(watcher);
        };
        const watcher = (acted: Acted): void => {
          if (acted.approvalId !== approvalId) return;
          finish();
          resolve(acted);
        };
        const timer = setTimeout(() => {
          finish();
          reject(new Error(`No answer about ${approvalId} came within ${timeoutMs} ms.`));
        }, timeoutMs);
        watchers.add(watcher);
      }),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.allSettled([...asking]);
      journal.close();
    },
  };
}

/** What each outcome makes the agent do. Only three of them let it execute what it asked for. */
function whatToDo({ outcome, conditions, next }: Result): string {
  switch (outcome) {
    case 'allowed':
    case 'approved':
      return 'executed the action';
    case 'approved_with_conditions':
      return `executed the action under ${JSON.stringify(conditions)}`;
    case 'expired':
      return next.alternative ? `did the safe alternative: ${next.alternative.summary}` : `took no action: ${next.path}`;
    case 'handed_back':
      return `went on as instructed: ${next.path}`;
    case 'answered':
      return `took the answer: ${next.path}`;
    default:
      return `took no action: ${next.path}`;
  }
}

interface Reply {
  readonly approval_id: string;
  readonly action_digest: string;
  readonly state: string;
  readonly meanwhile: { readonly agent: string; readonly operator: string };
  readonly result: unknown;
}

/** Sends until there is an answer: the key makes it one request, however often it arrives. */
async function post(apiUrl: string, apiKey: string, key: string, request: object, path = '/v1/requests'): Promise<Reply> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(new URL(path, apiUrl), {
        method: 'POST',
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(30_000),
        redirect: 'error',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'idempotency-key': key },
      });
      if (response.ok) return (await response.json()) as Reply;
      const problem = (await response.json().catch(() => ({}))) as { readonly code?: string; readonly detail?: string; readonly title?: string };
      if (response.status < 500 && response.status !== 429)
        throw new NotTaken(problem.code ?? String(response.status), problem.detail ?? problem.title ?? 'Countersign did not take the request.');
      throw new Error(`Countersign answered ${response.status}.`);
    } catch (error) {
      if (error instanceof NotTaken || attempt === SUBMIT_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
    }
  }
}

function read(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= BODY_MAX) parts.push(part);
      else reject(new Refused('the body is too large'));
    });
    request.on('end', () => resolve(Buffer.concat(parts)));
    request.on('error', reject);
  });
}

async function main(): Promise<void> {
  const {
    COUNTERSIGN_URL = 'http://127.0.0.1:8700',
    COUNTERSIGN_KEY,
    COUNTERSIGN_SECRET,
    AGENT_JOURNAL = 'agent-journal.jsonl',
    AGENT_PORT = '4100',
  } = process.env;
  if (!COUNTERSIGN_KEY || !COUNTERSIGN_SECRET)
    throw new Error('Set COUNTERSIGN_KEY (the key of the agent) and COUNTERSIGN_SECRET (its whsec_ callback secret).');
  const agent = await startAgent({
    apiUrl: COUNTERSIGN_URL,
    key: COUNTERSIGN_KEY,
    secret: COUNTERSIGN_SECRET.split(' '),
    journal: AGENT_JOURNAL,
    port: Number(AGENT_PORT),
    onEntry: (entry) => process.stdout.write(`${JSON.stringify(entry)}\n`),
  });
  process.stdout.write(`${JSON.stringify({ type: 'listening', url: agent.url })}\n`);
  for (const path of process.argv.slice(2)) await agent.submit(JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>);
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
