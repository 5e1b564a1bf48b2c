import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmail, type Addressed, type Email } from '../../../activities/notify/email';
import { startMailSink, type MailSink } from '../../../workers/mail-sink';
import { packet, SCRIPT } from './packet';

const FROM = 'Countersign <countersign@example.com>';
const ask: Addressed = {
  tenant: 'acme',
  approvalId: 'apr_1',
  owedId: '7-0',
  packet,
  kind: 'ask',
  level: 'finance manager',
  dueAt: '2026-11-21T10:00:00.000Z',
  next: 'CFO is asked',
  to: { name: 'Ana Ruiz', email: 'ana@example.com' },
};

describe('mail over SMTP', () => {
  let sink: MailSink;
  let email: Email;
  let dir: string;
  const refusals: Record<string, number> = { 'unknown@example.com': 550, 'full@example.com': 452 };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'mails-'));
    sink = await startMailSink({ dir, httpPort: 0, refuse: (address) => refusals[address] ?? null });
    email = createEmail({ transportUrl: sink.smtpUrl, from: FROM, publicUrl: 'https://approvals.example.com' });
  });
  afterAll(async () => {
    email.close();
    await sink.stop();
    rmSync(dir, { recursive: true });
  });
  const last = () => sink.mails().at(-1);

  it('reaches the person with text and HTML, and says it was sent by a machine', async () => {
    // A mail server's yes is no proof of delivery.
    expect(await email.send(ask)).toMatchObject({ status: 'done', reached: 'sent' });
    expect(last()).toMatchObject({ to: ['ana@example.com'], from: 'countersign@example.com' });
    expect(last()?.text).toContain('You are asked as finance manager');
    expect(last()?.html).toContain('https://approvals.example.com/approvals/apr_1');
    expect(last()?.raw).toMatch(/^Auto-Submitted: auto-generated\r$/m);
  });

  it('has the same Message-ID when it is sent again, and all of an approval stands in one thread', async () => {
    await email.send(ask);
    const first = last();
    await email.send(ask);
    const again = last();
    await email.send({ ...ask, owedId: '8-0', kind: 'remind' });
    const reminder = last();
    await email.send({ ...ask, approvalId: 'apr_2' });
    const elsewhere = last();
    expect(again?.messageId).toBe(first?.messageId);
    expect(first?.messageId).toMatch(/^<[0-9a-f]{40}@example\.com>$/);
    expect(reminder?.messageId).not.toBe(first?.messageId);
    expect(reminder?.inReplyTo).toBe(first?.inReplyTo);
    expect(reminder?.references).toBe(first?.references);
    expect(elsewhere?.inReplyTo).not.toBe(first?.inReplyTo);
  });

  it('to a customer shows nothing of the packet, not even in its headers', async () => {
    await email.send({
      ...ask,
      owedId: '9-0',
      kind: 'tell_customer',
      subject: 'Your case is under review',
      text: 'We look at it again.',
      to: { name: '', email: 'maria@example.com' },
    });
    const mail = last();
    expect(mail?.text.trim()).toBe('We look at it again.\n\nCase: C-17');
    for (const secret of ['refund', '480', 'apr_1', 'acme', 'Secret', 'finance']) expect(mail?.raw).not.toContain(secret);
  });

  it.each(['a@example.com, b@example.com', 'a@example.com\r\nBcc: b@example.com', 'Ana <a@example.com>', 'nobody', ''])(
    'is not sent to %j, and says why',
    async (address) => {
      const before = sink.mails().length;
      expect(await email.send({ ...ask, to: { name: 'Ana', email: address } })).toMatchObject({
        status: 'failed_for_good',
        detail: expect.stringContaining('directory') as string,
      });
      expect(sink.mails().length).toBe(before);
    },
  );

  it('cannot be given another header through a name or a summary', async () => {
    await email.send({
      ...ask,
      to: { name: 'Ana\r\nBcc: evil@example.com', email: 'ana@example.com' },
      packet: { ...packet, action: { ...packet.action, summary: 'Refund\r\nBcc: evil@example.com' } },
    });
    expect(last()?.to).toEqual(['ana@example.com']);
    const [headers] = (last()?.raw ?? '').split('\r\n\r\n');
    expect(headers).toContain('Message-ID');
    expect(headers).not.toMatch(/^Bcc:/im);
    expect(last()?.subject).toBe('Decision needed: Refund Bcc: evil@example.com');
  });

  it('that the recipient’s server refuses has failed for good, one that it postpones for now', async () => {
    expect(await email.send({ ...ask, to: { name: 'X', email: 'unknown@example.com' } })).toMatchObject({
      status: 'failed_for_good',
      detail: 'The mail server refused the recipient (550).',
    });
    expect(await email.send({ ...ask, to: { name: 'X', email: 'full@example.com' } })).toMatchObject({
      status: 'failed_for_now',
      detail: 'The mail server asks to try again later (452).',
    });
  });

  it('has failed for now when no server is there', async () => {
    const gone = await startMailSink();
    await gone.stop();
    const nowhere = createEmail({ transportUrl: gone.smtpUrl, from: FROM, publicUrl: 'https://approvals.example.com' });
    expect(await nowhere.send(ask)).toMatchObject({ status: 'failed_for_now', detail: expect.stringContaining('could not be reached') as string });
    nowhere.close();
  });

  it('is kept in files, and a mailbox started again shows it', async () => {
    const count = sink.mails().length;
    expect(readdirSync(dir)).toHaveLength(count);
    const again = await startMailSink({ dir });
    expect(again.mails().map(({ messageId }) => messageId)).toEqual(sink.mails().map(({ messageId }) => messageId));
    await again.stop();
  });

  it('can be waited for before and after it came', async () => {
    const coming = sink.waitFor(({ subject }) => subject === 'Wait for me', 10_000);
    const sent = { ...ask, kind: 'tell_customer', subject: 'Wait for me', text: 'Hello' } as const;
    await email.send(sent);
    expect((await coming).subject).toBe('Wait for me');
    expect((await sink.waitFor(({ subject }) => subject === 'Wait for me', 0)).subject).toBe('Wait for me');
    await expect(sink.waitFor(() => false, 1)).rejects.toThrow(/No such mail came/);
  });

  it('is shown on a page that loads and runs nothing', async () => {
    const url = sink.webUrl ?? '';
    const list = await fetch(url);
    expect(list.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    const html = await list.text();
    expect(html).toContain('Decision needed: Refund');
    expect(html).not.toContain(SCRIPT);
    const one = await (await fetch(`${url}mails/1`)).text();
    expect(one).not.toContain('<script>');
    expect(one).toContain('<a href="https://approvals.example.com/approvals/apr_1" rel="noreferrer">');
    expect((await fetch(`${url}mails/1/html`)).headers.get('content-security-policy')).toContain('sandbox');
    expect((await fetch(`${url}mails/1/raw`)).headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect((await fetch(`${url}mails/9999`)).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  });
});
