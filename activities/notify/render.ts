/**
 * What each message says: one sentence on top (what, how much, until when, what next, whether it can be undone), then all
 * that the decision is made from. What an agent or a customer wrote stands in its own labelled box.
 * Pure: imports only from domain and this folder.
 */
import { factLines } from '../../domain/answers';
import type { Instant } from '../../domain/json';
import { providedLines, readableParams, unavailableLines, type Packet } from '../../domain/packet';
import { oneLine, visible } from '../../domain/text';
import { toHtml, toText, type Block } from './document';
import type { Message, Rendered } from './message';

/** The page of an approval. Opening it decides nothing, and the link carries no authority. */
export const approvalUrl = (publicUrl: string, approvalId: string): string => `${publicUrl.replace(/\/+$/, '')}/approvals/${encodeURIComponent(approvalId)}`;

export function render(message: Message, { publicUrl }: { readonly publicUrl: string }): Rendered {
  const subject = subjectOf(message);
  const blocks = blocksOf(message, approvalUrl(publicUrl, message.approvalId));
  return { subject, text: toText(blocks), html: toHtml(subject, blocks) };
}

function subjectOf(message: Message): string {
  switch (message.kind) {
    case 'ask':
      return `Decision needed: ${summary(message.packet)}`;
    case 'remind':
      return `Reminder, decision needed: ${summary(message.packet)}`;
    case 'page_backup':
      return `Nobody has decided, you are the backup: ${summary(message.packet)}`;
    case 'ask_person':
      return `A question to you about: ${summary(message.packet)}`;
    case 'tell_asked':
      return message.over ? `No longer needed from you: ${summary(message.packet)}` : `News about: ${summary(message.packet)}`;
    case 'tell_requester':
      return `How it ended: ${summary(message.packet)}`;
    case 'tell_customer':
      return oneLine(message.subject);
  }
}

function blocksOf(message: Message, url: string): readonly Block[] {
  switch (message.kind) {
    case 'ask':
    case 'remind':
    case 'page_backup':
      return [{ type: 'lead', text: request(message) }, { type: 'link', label: 'Open the request to decide', url }, ...contents(message.packet), link(url)];
    case 'ask_person':
      return [
        {
          type: 'lead',
          text: `${oneLine(message.askedBy, 100)} asks you for information by ${when(message.dueAt)}, before deciding on this: ${headline(message.packet)}`,
        },
        { type: 'box', label: `Written by ${oneLine(message.askedBy, 100)}: the question`, text: message.question },
        { type: 'paragraph', text: 'Your answer becomes part of what it is decided from. You decide nothing by it.' },
        { type: 'link', label: 'Open the request to answer', url },
      ];
    case 'tell_asked':
    case 'tell_requester':
      return [
        { type: 'lead', text: message.what },
        { type: 'paragraph', text: `It was about: ${headline(message.packet)}` },
        { type: 'facts', items: [...about(message.packet), policy(message.packet)] },
        link(url),
      ];
    case 'tell_customer':
      return [
        { type: 'paragraph', text: message.text },
        ...(message.packet.case === null ? [] : [{ type: 'paragraph', text: `Case: ${oneLine(message.packet.case)}` } as const]),
      ];
  }
}

function request(message: Extract<Message, { kind: 'ask' | 'remind' | 'page_backup' }>): string {
  const until = `by ${when(message.dueAt)}`;
  const silence = `If nobody answers, ${message.next.replace(/[.\s]+$/, '')}.`;
  switch (message.kind) {
    case 'ask':
      return `You are asked as ${message.level} to decide ${until}: ${headline(message.packet)} ${silence}`;
    case 'remind':
      return `You have not answered yet as ${message.level}; please decide ${until}: ${headline(message.packet)} ${silence}`;
    case 'page_backup':
      return `Everybody who was asked stayed silent; please decide ${until}: ${headline(message.packet)} ${silence}`;
  }
}

function contents(packet: Packet): readonly Block[] {
  const { action } = packet;
  return [
    { type: 'list', title: 'Why a person is asked', items: packet.why },
    ...(packet.provision.length > 0 ? [{ type: 'list', title: 'What the policy says', items: packet.provision } as const] : []),
    ...(packet.instruction === '' ? [] : [{ type: 'paragraph', text: packet.instruction } as const]),
    {
      type: 'facts',
      items: [
        ['Action', `${action.type} on ${action.system}`],
        ...(packet.amount === null ? [] : [['Amount', packet.amount] as const]),
        ['Can it be undone', UNDO[action.reversibility] ?? action.reversibility],
        ...about(packet),
        ['If you deny', packet.onDeny],
        ['If nobody ever answers', packet.onSilence],
        policy(packet),
      ],
    },
    ...exceptionBlocks(packet),
    ...wantedBlocks(packet),
    ...(packet.provided ? [{ type: 'box', label: 'From systems that were asked', text: providedLines(packet).join('\n') } as const] : []),
    ...(packet.unavailable ? [{ type: 'list', title: 'What could not be found out', items: unavailableLines(packet) } as const] : []),
    { type: 'box', label: 'Written by the agent: why it asks', text: packet.reason },
    { type: 'box', label: 'Written by the agent: exactly what it will do', text: `${action.summary}\n${readableParams(action.params)}` },
    ...packet.evidence.map(({ title, source, content }): Block => ({
      type: 'box',
      label: `${SOURCE[source] ?? `From ${source}`}: ${oneLine(title)}`,
      text: content,
    })),
    ...added(packet),
  ];
}

/** What may be added to a yes, which facts are asked for, and what was supplied before. The mail decides nothing: all of it is done on the page. */
function wantedBlocks({ offers, asksFor, follows }: Packet): readonly Block[] {
  const facts = Object.entries(asksFor ?? {});
  return [
    ...(offers ? [{ type: 'list', title: 'What you may add to a yes, on the page', items: offers } as const] : []),
    ...(facts.length > 0
      ? [{ type: 'list', title: 'What is asked of you, on the page', items: facts.map(([name, type]) => `${name} (${type})`) } as const]
      : []),
    ...(follows
      ? [
          {
            type: 'facts',
            items: [
              ['Goes on from', `${follows.of}, answered on ${when(follows.at)} by ${follows.by.join(', ')}`],
              ...factLines(follows.facts).map((line) => ['Supplied then', visible(line)] as const),
            ],
          } as const,
        ]
      : []),
  ];
}

/** What was refused, by whom and why: whoever makes an exception knows to what. */
function exceptionBlocks({ exception }: Packet): readonly Block[] {
  if (!exception) return [];
  const { of, outcome, why, at, by, justification } = exception;
  return [
    {
      type: 'facts',
      items: [
        ['Exception to', `${of}, ${outcome} on ${when(at)}`],
        ['Why it was refused', visible(why)],
        ...(by.length === 0 ? [] : [['Refused by', by.join(', ')] as const]),
      ],
    },
    { type: 'box', label: 'Written by the agent: why an exception', text: justification },
  ];
}

const UNDO: Readonly<Record<string, string>> = { easy: 'yes, easily', hard: 'only with effort', none: 'no' };
const SOURCE: Readonly<Record<string, string>> = { agent: 'Written by the agent', customer: 'Written by the customer', system: 'From a system' };

function about({ requester, customer, case: caseId }: Packet): readonly (readonly [string, string])[] {
  return [
    ['Asked by', `agent ${requester.agent}, run ${requester.run}`],
    ...(requester.onBehalfOf === null ? [] : [['On behalf of', requester.onBehalfOf] as const]),
    ...(customer === null ? [] : [['Customer', customer.name === null ? customer.id : `${customer.name} (${customer.id})`] as const]),
    ...(caseId === null ? [] : [['Case', caseId] as const]),
  ];
}

const policy = ({ policy: { name, version, hash } }: Packet): readonly [string, string] => ['Policy', `${name}, version ${version} (${hash.slice(0, 12)})`];
/** What was added since it was asked for the first time: whose words each is, and when. */
const added = ({ added = [] }: Packet): readonly Block[] =>
  added.map(({ name, title, source, by, at, content }): Block => ({
    type: 'box',
    label: `${source === 'agent' ? 'Written by the agent' : `Written by ${oneLine(by, 100)}`}, added ${when(at)}: ${oneLine(title === '' ? name : title)}`,
    text: content,
  }));
const link = (url: string): Block => ({ type: 'link', label: 'The request and its history', url });
const headline = (packet: Pick<Packet, 'headline'>): string => visible(packet.headline);
const summary = (packet: Pick<Packet, 'action'>): string => oneLine(packet.action.summary, 120);
/** Minutes are enough to plan a day by; UTC, said so, until people have zones. */
const when = (at: Instant): string => `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
