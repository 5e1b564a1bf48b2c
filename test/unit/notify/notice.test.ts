import { readFileSync } from 'node:fs';
import { createCallback, sign } from '../../../activities/callback';
import { createEgress } from '../../../activities/egress';
import { NEWS, NoticeSchema, noticeOf, type Told } from '../../../activities/notify/notice';
import { createWebhook, type WebhookSettings } from '../../../activities/notify/webhook';

const PUBLIC_URL = 'https://approvals.example.com/';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const about = {
  tenant: 'acme',
  approvalId: 'apr_1f0c9d52',
  plan: { effect: 'approval', lane: 'finance', amount: { minor: 48_000, currency: 'USD' } },
  actionType: 'refund.issue',
  person: { id: 'ana', name: 'Ana Ruiz', role: 'finance_manager' },
  since: '2026-11-21T09:30:00.000Z',
} as const;
const asked: Told = { ...about, kind: 'ask', level: 'finance manager', dueAt: '2026-11-21T10:00:00.000Z', next: 'CFO is asked' };
const settled: Told = { ...about, kind: 'tell_asked', outcome: 'approved' };

const information: Told = { ...about, kind: 'ask_person', question: 'q1', dueAt: '2026-11-21T10:00:00.000Z' };

/** A block of the page, by its language and number. */
const PAGE = readFileSync('docs/webhooks.md', 'utf8');
const block = (language: string, n: number): string => [...PAGE.matchAll(/```(\w+)\n([\s\S]*?)```/g)].filter((m) => m[1] === language)[n]?.[2] ?? '';

describe('what a webhook says', () => {
  it('is what the page shows, byte for byte once it is packed, with the headers and the signature that it shows', () => {
    const notice = noticeOf(asked, PUBLIC_URL);
    expect(JSON.parse(block('json', 0))).toEqual(notice);
    const headers = sign({ secrets: [SECRET], id: 'apr_1f0c9d52_3-0', timestamp: '2026-11-21T09:30:01.000Z', body: JSON.stringify(notice) });
    const shown = Object.fromEntries(
      block('http', 0)
        .split('\n')
        .filter((line) => line.startsWith('webhook-'))
        .map((line) => line.split(': ')),
    ) as Record<string, string>;
    expect(shown).toEqual(headers);
  });

  it.each([
    ['approval.asked', asked],
    ['approval.reminded', { ...asked, kind: 'remind' }],
    ['approval.backup_paged', { ...asked, kind: 'page_backup' }],
    ['approval.taken_over', { ...settled, outcome: null }],
    ['approval.settled', settled],
    ['approval.information_asked', information],
    ['approval.news', { ...settled, outcome: null, news: 'commented' }],
  ] as const)('%s holds to the schema, and the page names it', (type, told) => {
    const notice = noticeOf(told, PUBLIC_URL);
    expect(NoticeSchema.parse(JSON.parse(JSON.stringify(notice)))).toEqual(notice);
    expect(notice.type).toBe(type);
    expect(PAGE).toContain(`\`${type}\``);
    expect(notice.timestamp).toBe(about.since);
  });

  it('a question for information is its id and not its words', () => {
    const { data } = noticeOf(information, PUBLIC_URL);
    expect(data).toMatchObject({ headline: 'Information is needed: refund.issue, USD 480.00.', question: 'q1', until: '2026-11-21T10:00:00.000Z' });
  });

  it.each(NEWS)('the page names what can have happened: %s', (news) => expect(PAGE).toContain(`\`${news}\``));

  it('every field of the schema is on the page', () => {
    const fields = Object.keys({
      ...noticeOf(asked, PUBLIC_URL).data,
      ...noticeOf(settled, PUBLIC_URL).data,
      ...noticeOf(information, PUBLIC_URL).data,
      news: '',
    });
    expect(fields.filter((field) => !PAGE.includes(`\`${field}\``))).toEqual([]);
  });

  it('an escalation and a request without an amount have words of their own; a name cannot break out of its line', () => {
    const { data } = noticeOf(
      { ...asked, plan: { effect: 'escalation', lane: 'customer', amount: null }, person: { ...about.person, name: 'Ana\nRuiz \u202E' } },
      PUBLIC_URL,
    );
    expect(data).toMatchObject({ kind: 'escalation', amount: null, headline: 'A person is needed: refund.issue.', person: { name: 'Ana Ruiz ⟨U+202E⟩' } });
  });
});

describe('one attempt at the webhook', () => {
  const egress = createEgress({ allowLoopback: false });
  const callback = createCallback({ egress, words: { receiver: 'The receiver', what: 'webhook' } });
  const send = (settings: WebhookSettings | null) => createWebhook({ settings, callback, publicUrl: PUBLIC_URL }).send({ ...asked, owedId: '3-0' });
  afterAll(() => egress.close());

  it('where the settings name no webhook is none: it has failed for good, and says which settings are missing', async () => {
    expect(await send(null)).toMatchObject({
      status: 'failed_for_good',
      detail: expect.stringMatching(/COUNTERSIGN_WEBHOOK_URL and COUNTERSIGN_WEBHOOK_SECRETS/) as string,
    });
  });

  it.each(['http://hooks.example.com/', 'https://10.0.0.7/hook', 'https://169.254.169.254/latest', 'http://127.0.0.1:9/'])(
    'to %s does not leave: the address passes the same guard as an agent’s',
    async (url) => {
      expect(await send({ url, secrets: [SECRET] })).toMatchObject({
        status: 'failed_for_now',
        httpStatus: null,
        detail: expect.stringMatching(/^The webhook (URL|address) /) as string,
      });
    },
  );
});
