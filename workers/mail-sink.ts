/**
 * The development mailbox: takes every mail by SMTP, keeps it in memory and as .eml files, shows it on a read-only page.
 * Nothing leaves the machine: it listens on loopback unless told otherwise (in a container), and forwards nothing.
 * Must not import activities, client or the store: it knows mail, not approvals.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { escapeHtml, oneLine, visible } from '../domain/text';

export interface Mail {
  /** 1, 2, … in order of arrival. */
  readonly number: number;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  readonly inReplyTo: string;
  readonly references: string;
  /** As it came over the wire. */
  readonly raw: string;
}

export interface MailSinkOptions {
  /** Loopback when left out. */
  readonly host?: string;
  /** 0 or left out: any free port. */
  readonly port?: number;
  /** null or left out: no page. */
  readonly httpPort?: number | null;
  /** Where mails are kept as files; left out: in memory only. */
  readonly dir?: string;
  readonly onMail?: (mail: Mail) => void;
  /** Answers a recipient with this SMTP code instead of taking the mail; for tests of what a refusal does. */
  readonly refuse?: (address: string) => number | null;
}

export interface MailSink {
  readonly smtpUrl: string;
  readonly webUrl: string | null;
  mails(): readonly Mail[];
  /** The first mail, here already or still to come, for which it holds. */
  waitFor(predicate: (mail: Mail) => boolean, timeoutMs: number): Promise<Mail>;
  stop(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const SIZE_MAX = 5 * 1024 * 1024;

export async function startMailSink(options: MailSinkOptions = {}): Promise<MailSink> {
  const host = options.host ?? LOOPBACK;
  const kept: Mail[] = [];
  const waiting = new Set<(mail: Mail) => void>();
  let files = 0;
  if (options.dir !== undefined) {
    mkdirSync(options.dir, { recursive: true });
    for (const file of readdirSync(options.dir)
      .filter((name) => name.endsWith('.eml'))
      .sort()) {
      kept.push(await parse(kept.length + 1, readFileSync(join(options.dir, file))));
      files = Math.max(files, Number.parseInt(file, 10) || 0);
    }
  }

  async function keep(raw: Buffer): Promise<void> {
    const parsed = await parse(0, raw);
    // Numbered after parsing, so that two mails at once get two numbers.
    const mail = { ...parsed, number: kept.length + 1 };
    kept.push(mail);
    files += 1;
    if (options.dir !== undefined) writeFileSync(join(options.dir, `${String(files).padStart(6, '0')}.eml`), raw);
    options.onMail?.(mail);
    for (const tell of [...waiting]) tell(mail);
  }

  const smtp = new SMTPServer({
    banner: 'Countersign development mailbox',
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: SIZE_MAX,
    closeTimeout: 1_000,
    onRcptTo({ address }, _session, callback) {
      const code = options.refuse?.(address) ?? null;
      callback(code === null ? null : Object.assign(new Error('refused here on purpose'), { responseCode: code }));
    },
    onData(stream, _session, callback) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        if (stream.sizeExceeded) return callback(Object.assign(new Error('too large'), { responseCode: 552 }));
        keep(Buffer.concat(parts)).then(
          () => callback(),
          (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
        );
      });
    },
  });
  const smtpPort = await listening(
    (done) => smtp.listen(options.port ?? 0, host, done),
    (failed) => smtp.on('error', failed),
    () => smtp.server.address(),
  );
  // A client that goes away in the middle of a mail is its own affair.
  smtp.removeAllListeners('error').on('error', () => undefined);

  const web = options.httpPort === undefined || options.httpPort === null ? null : page(kept);
  const webPort =
    web === null
      ? null
      : await listening(
          (done) => web.listen(options.httpPort ?? 0, host, done),
          (failed) => web.once('error', failed),
          () => web.address(),
        );

  return {
    smtpUrl: `smtp://${host}:${smtpPort}`,
    webUrl: webPort === null ? null : `http://${host}:${webPort}/`,
    mails: () => [...kept],
    waitFor: (predicate, timeoutMs) =>
      new Promise((resolve, reject) => {
        const here = kept.find(predicate);
        if (here) return resolve(here);
        const timer = setTimeout(() => {
          waiting.delete(tell);
          reject(
            new Error(
              `No such mail came within ${timeoutMs} ms; ${kept.length} came in all: ${kept
                .slice(-5)
                .map(({ to, subject }) => `${to.join(' ')} "${subject}"`)
                .join(', ')}`,
            ),
          );
        }, timeoutMs);
        const tell = (mail: Mail): void => {
          if (!predicate(mail)) return;
          clearTimeout(timer);
          waiting.delete(tell);
          resolve(mail);
        };
        waiting.add(tell);
      }),
    async stop() {
      web?.closeAllConnections();
      await Promise.all([new Promise<void>((resolve) => smtp.close(resolve)), new Promise<void>((resolve) => (web ? web.close(() => resolve()) : resolve()))]);
    },
  };
}

async function listening(
  listen: (done: () => void) => void,
  onError: (failed: (error: Error) => void) => void,
  address: () => AddressInfo | string | null,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    onError(reject);
    listen(resolve);
  });
  return (address() as AddressInfo).port;
}

async function parse(number: number, raw: Buffer): Promise<Mail> {
  const email = await PostalMime.parse(raw);
  const to = (email.to ?? []).flatMap((entry) => ('address' in entry && entry.address ? [entry.address] : []));
  return {
    number,
    to,
    from: email.from && 'address' in email.from ? (email.from.address ?? '') : '',
    subject: email.subject ?? '',
    text: email.text ?? '',
    html: email.html ?? '',
    messageId: email.messageId ?? '',
    inReplyTo: email.inReplyTo ?? '',
    references: email.references ?? '',
    raw: raw.toString('utf8'),
  };
}

const STYLE =
  'body{font:15px/1.45 system-ui,sans-serif;max-width:60em;margin:1em auto;padding:0 1em;color-scheme:light dark}pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #888;padding:1em}td{padding:.2em 1em .2em 0;vertical-align:top}';
const CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
/** A mail's own HTML may style itself and hold links; it may load, run and send nothing. */
const MAIL_CSP = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A list, a mail as text, as HTML and as it came. GET only. */
function page(kept: readonly Mail[]): Server {
  return createServer((request, response) => {
    const send = (status: number, type: string, csp: string, body: string): void => {
      response
        .writeHead(status, {
          'content-type': `${type}; charset=utf-8`,
          'content-security-policy': csp,
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cache-control': 'no-store',
        })
        .end(body);
    };
    const html = (status: number, title: string, body: string): void =>
      send(
        status,
        'text/html',
        CSP,
        `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>${body}</body></html>`,
      );
    if (request.method !== 'GET') return html(405, 'Read only', '<h1>This mailbox is read only</h1>');
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path === '/') return html(200, 'Development mailbox', list(kept));
    const [, number, form] = /^\/mails\/(\d{1,6})(?:\/(html|raw))?$/.exec(path) ?? [];
    const mail = kept[Number(number) - 1];
    if (!mail) return html(404, 'No such mail', '<h1>No such mail</h1><p><a href="/">All mails</a></p>');
    if (form === 'raw') return send(200, 'text/plain', CSP, mail.raw);
    if (form === 'html') return send(200, 'text/html', MAIL_CSP, mail.html);
    return html(200, mail.subject, show(mail));
  });
}

const safe = (text: string): string => escapeHtml(oneLine(text));

function list(kept: readonly Mail[]): string {
  const rows = [...kept]
    .reverse()
    .map(
      ({ number, to, subject }) =>
        `<tr><td>${number}</td><td>${safe(to.join(', '))}</td><td><a href="/mails/${number}">${safe(subject) || '(no subject)'}</a></td></tr>`,
    );
  return `<h1>Development mailbox</h1><p>${kept.length === 0 ? 'No mail yet.' : `${kept.length} mails, newest first. None left this machine.`}</p><table>${rows.join('')}</table>`;
}

function show({ number, from, to, subject, text }: Mail): string {
  const linked = escapeHtml(visible(text)).replace(/^https?:\/\/[^\s<>"'&]+$/gm, (url) => `<a href="${url}" rel="noreferrer">${url}</a>`);
  return `<p><a href="/">All mails</a> · <a href="/mails/${number}/html">as HTML</a> · <a href="/mails/${number}/raw">as it came</a></p><h1>${safe(subject)}</h1><p>From ${safe(from)} to ${safe(to.join(', '))}</p><pre>${linked}</pre>`;
}

if (require.main === module) {
  const { MAIL_SINK_HOST, MAIL_SINK_PORT, MAIL_SINK_HTTP_PORT, MAIL_SINK_DIR } = process.env;
  startMailSink({
    ...(MAIL_SINK_HOST ? { host: MAIL_SINK_HOST } : {}),
    port: Number(MAIL_SINK_PORT ?? 8725),
    httpPort: Number(MAIL_SINK_HTTP_PORT ?? 8726),
    ...(MAIL_SINK_DIR === undefined ? {} : { dir: MAIL_SINK_DIR }),
  }).then(
    (sink) => {
      process.stdout.write(`${JSON.stringify({ smtpUrl: sink.smtpUrl, webUrl: sink.webUrl })}\n`);
      const stop = (): void => void sink.stop().then(() => process.exit(0));
      process.once('SIGTERM', stop).once('SIGINT', stop);
    },
    (error: unknown) => {
      const why =
        error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
          ? 'its port is in use; set MAIL_SINK_PORT and MAIL_SINK_HTTP_PORT to free ports'
          : String(error);
      process.stderr.write(`The development mailbox cannot start: ${why}.\n`);
      process.exitCode = 1;
    },
  );
}
