/**
 * Sends one message by SMTP, and says whether it is done, to be tried again, or will never succeed. Sent twice, it has the
 * same Message-ID, so that a mailbox shows it once; everything about one approval stands in one thread.
 * Must not import the store, the workflow or client.
 */
import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import type { AttemptStatus, Reached } from '../../domain/events';
import { oneLine } from '../../domain/text';
import type { Message } from './message';
import { render } from './render';

export interface EmailOptions {
  /** `smtp://host:port` or `smtps://user:password@host`. */
  readonly transportUrl: string;
  /** `Countersign <countersign@example.com>`. */
  readonly from: string;
  readonly publicUrl: string;
  readonly timeoutMs?: number;
}

export type Addressed = Message & { readonly to: { readonly name: string; readonly email: string } };

interface EmailResult {
  readonly status: AttemptStatus;
  /** A mail server's yes is no proof that the mail arrived. */
  readonly reached?: Extract<Reached, 'sent'>;
  /** One sentence without addresses or the server's own words, which may repeat them. */
  readonly detail: string;
  readonly latencyMs: number;
}

export interface Email {
  send(message: Addressed): Promise<EmailResult>;
  close(): void;
}

/** One plain address: no list, no comment, no line end that would start another header. */
const ADDRESS = /^[^\s@<>(),:;"\\[\]\p{Cc}]{1,64}@[^\s@<>(),:;"\\[\]\p{Cc}]{1,255}$/u;

/** Connections kept open to the mail server at most; beyond them each message has its own. */
const KEPT_MAX = 10;
/** How long an unused connection is kept: shorter than any mail server's own patience. */
const IDLE_MS = 30_000;

const id = (host: string, ...parts: readonly string[]): string => `<${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)}@${host}>`;

/** The ids that make a resent message the same one, and all of an approval one thread; opaque, since headers travel. */
function threadOf(
  { tenant, approvalId, owedId, kind }: Pick<Message, 'tenant' | 'approvalId' | 'owedId' | 'kind'>,
  from: string,
): { readonly messageId: string; readonly thread: string } {
  const host = /@([A-Za-z0-9.-]+)>?\s*$/.exec(from)?.[1] ?? 'countersign.invalid';
  return {
    messageId: id(host, 'message', tenant, approvalId, owedId),
    thread: id(host, kind === 'tell_customer' ? 'customer' : 'approval', tenant, approvalId),
  };
}

export function createEmail({ transportUrl, from, publicUrl, timeoutMs = 15_000 }: EmailOptions): Email {
  const common = {
    url: transportUrl,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
  const kept = createTransport({ ...common, pool: true, maxConnections: KEPT_MAX, maxMessages: 1_000, maxRequeues: 1, idleTimeout: IDLE_MS });
  const fresh = createTransport(common);
  let inHand = 0;
  return {
    close() {
      kept.close();
      fresh.close();
    },
    async send(message) {
      const started = performance.now();
      const result = (status: AttemptStatus, detail: string): EmailResult => ({ status, detail, latencyMs: Math.round(performance.now() - started) });
      const { name, email } = message.to;
      if (!ADDRESS.test(email)) return result('failed_for_good', 'The address is not one plain e-mail address; correct it in the directory, then resend.');
      const { messageId, thread } = threadOf(message, from);
      const { subject, text, html } = render(message, { publicUrl });
      // Never queued behind others: a message that waited for a server that hangs could be sent after its attempt was given up.
      const transport = inHand < KEPT_MAX ? kept : fresh;
      inHand += 1;
      try {
        await transport.sendMail({
          from,
          to: { name: oneLine(name, 100), address: email },
          subject,
          text,
          html,
          messageId,
          inReplyTo: thread,
          references: [thread],
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
        });
        return { ...result('done', 'The mail server accepted the message.'), reached: 'sent' };
      } catch (error) {
        return failure(error, result);
      } finally {
        inHand -= 1;
      }
    },
  };
}

function failure(error: unknown, result: (status: AttemptStatus, detail: string) => EmailResult): EmailResult {
  const { code, command, responseCode } = facts(error);
  if (responseCode === null) return result('failed_for_now', `The mail server could not be reached or did not answer (${code}).`);
  const refused = responseCode >= 500;
  // Who we are being refused (greeting, sign-in, sender) is for the operator to mend; only a refused recipient or message stays refused.
  if (refused && code === 'EENVELOPE' && command.startsWith('RCPT'))
    return result('failed_for_good', `The mail server refused the recipient (${responseCode}).`);
  if (refused && code === 'EMESSAGE') return result('failed_for_good', `The mail server refused the message (${responseCode}).`);
  return result(
    'failed_for_now',
    refused ? `The mail server refused us (${responseCode}); check SMTP_URL and the sender.` : `The mail server asks to try again later (${responseCode}).`,
  );
}

function facts(error: unknown): { readonly code: string; readonly command: string; readonly responseCode: number | null } {
  const at = (name: string): unknown =>
    typeof error === 'object' && error !== null && name in error ? (error as Readonly<Record<string, unknown>>)[name] : undefined;
  const [code, command, responseCode] = [at('code'), at('command'), at('responseCode')];
  return {
    code: typeof code === 'string' ? code : 'unknown',
    command: typeof command === 'string' ? command : '',
    responseCode: typeof responseCode === 'number' ? responseCode : null,
  };
}
