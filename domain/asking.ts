/**
 * What is said about a request without deciding it: comments, questions, answers, and evidence that the agent adds. What becomes part of
 * the packet gives it another digest: who has not seen it decides nothing.
 * Pure: imports only from domain.
 */
import { actingOn, claimFirst, type Acting } from './acting';
import { actsAs, personOf } from './directory';
import { channelsNow, over, ownersOf, tellOne } from './channels';
import type { ApprovalEvent, Asked, Left, Over, Owed } from './events';
import { after, type Instant } from './json';
import type { Move } from './moves';
import { OPERATORS, QUESTIONS } from './plan';
import { earlier, leftOf, resumedFrom } from './standstill';
import { openQuestions, supplementOf, type ApprovalState } from './state';
import { nameOf, type Context } from './story';
import { proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

/** A comment or a reply, and a question, in characters. */
export const TEXT_MAX = 4_000;
export const QUESTION_MAX = 2_000;
/** What an agent may add: pieces, bytes of one, and bytes of all that was added together. */
export const EVIDENCE_MAX = 20;
export const EVIDENCE_BYTES_MAX = 64 * 1024;
export const ADDED_BYTES_MAX = 256 * 1024;
const TITLE_MAX = 200;
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** As what somebody is named who was asked for information and holds no role here. */
const INFORMANT = 'asked for information';

type Of<T extends Move['type']> = Extract<Move, { type: T }>;

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** Why a text is none; null where it is one. */
function whyNoText(text: string, max: number, what: string): Decision | null {
  if (!text.trim()) return refuse('text_required', `Write ${what}`);
  return text.length > max ? refuse('text_required', `Write ${what} of at most ${String(max)} characters; longer texts go by reference`) : null;
}

// ---------------------------------------------------------------- comments

/** As what a person takes part in this request: by a role that it can ask, because they were asked, or as an operator; null where they do not. */
export function partOf(state: ApprovalState, person: string, context: Context): string | null {
  const { plan, directory, now } = context;
  if (state.takeover?.by === person) return state.takeover.role;
  const acting = actingOn(state, person, context);
  if (acting) return acting.role;
  const ladders = plan.signOffs.flatMap((s) => s.ladder.map((level) => level.role));
  const may = plan.onTimeout.hold ? [...ladders, plan.onTimeout.hold.role] : ladders;
  const role = may.find((one) => actsAs(directory, person, one, now, context.requesters) !== null);
  if (role !== undefined) return role;
  const asked = state.owed.flatMap(({ owed }) => (owed.kind === 'ask' || owed.kind === 'page_backup' ? [owed.to] : []));
  const was = asked.find((to) => to.person === person);
  if (was) return was.role;
  const { roles, override, breakGlass } = plan.operators ?? OPERATORS;
  const operating = [...roles, ...(override?.roles ?? []), ...(breakGlass?.roles ?? [])].find((one) => personOf(directory, person)?.roles.includes(one));
  return operating ?? (state.questions.some((q) => q.of === person) ? INFORMANT : null);
}

export function comment(state: ApprovalState, command: MoveCommand, { text }: Of<'comment'>, context: Context): Decision {
  const by = command.body.person;
  const role = partOf(state, by, context);
  if (role === null)
    return refuse('not_involved', `${nameOf(context.directory, by)} holds no role that this request can ask, and was not asked; only who takes part comments`);
  const wrong = whyNoText(text, TEXT_MAX, 'what you want to say');
  if (wrong) return wrong;
  const owed = tellOwners(state, context, by, `${nameOf(context.directory, by)} has commented on it`);
  return tell(state, context, (story) => story.tell({ type: 'commented', by, role, text, owed, proof: proofOf(command) }));
}

/** A word to everyone who has it now, but for one. */
const tellOwners = (state: ApprovalState, { plan }: Context, except: string, what: string): Owed[] =>
  ownersOf(state, plan)
    .filter(({ person }, i, all) => person !== except && all.findIndex((other) => other.person === person) === i)
    .map((to) => tellOne(state, plan, to, what));

// ---------------------------------------------------------------- questions

/** By who may decide an open sign-off; `acting` is null where it is asked by who has taken it over. */
export function ask(state: ApprovalState, command: MoveCommand, { of, question: text }: Of<'ask'>, acting: Acting | null, context: Context): Decision {
  const { plan, directory, now } = context;
  const by = command.body.person;
  const wrong = whyNoText(text, QUESTION_MAX, 'what you want to know');
  if (wrong) return wrong;
  const person = of === 'agent' ? null : personOf(directory, of);
  if (person === undefined) return refuse('unknown_person', `${of} is not in the directory; ask the agent, or somebody who is`);
  if (of === by) return refuse('unknown_person', 'You are asking yourself; ask the agent, or somebody else of the directory');
  const { withinMs, atMost } = plan.questions ?? QUESTIONS;
  if (state.questions.length >= atMost)
    return refuse('too_many_questions', `${String(atMost)} questions may be asked about one request, and were; decide, comment, or take it over`);
  const question = `q${String(state.questions.length + 1)}`;
  const role = acting?.role ?? state.takeover?.role ?? '';
  const signOff = acting?.open.id ?? '';
  const left = acting ? leftOf(acting.open, acting.signOff, context) : null;
  const dueAt = questionDueAt(state, after(now, withinMs), acting, left);
  const asks = askedOf(of, question, dueAt, context, over(channelsNow(state, plan, acting?.open.id)));
  return tell(state, context, (story) => {
    if (acting) claimFirst(story, acting, command);
    story.tell({
      type: 'information_asked',
      signOff,
      question,
      by,
      role,
      of,
      text,
      dueAt,
      left,
      directory: directory.hash,
      owed: asks,
      proof: proofOf(command),
    });
  });
}

/** While its clock runs, a question has no longer than who asks it. */
function questionDueAt({ takeover }: ApprovalState, at: Instant, acting: Acting | null, left: Left | null): Instant {
  if (!acting) return earlier(at, takeover?.dueAt ?? null) ?? at;
  return left !== null || acting.open.paused ? at : (earlier(at, acting.open.dueAt) ?? at);
}

/** To whom the question goes. An agent that only polls finds it where it looks. */
function askedOf(of: string, question: string, dueAt: Instant, { resume, directory }: Context, channels: Over): Owed[] {
  if (of === 'agent') return resume.type === 'poll' ? [] : [{ kind: 'ask_agent', question, dueAt, resume }];
  const to: Asked = { person: of, role: personOf(directory, of)?.roles[0] ?? INFORMANT };
  return [{ kind: 'ask_person', to, ...channels, question, dueAt }];
}

/** From the person who was asked, whoever they are, or from the agent. */
export function reply(state: ApprovalState, command: MoveCommand, { question: id, text }: Of<'reply'>, context: Context): Decision {
  const { body } = command;
  const byAgent = body.agent !== undefined;
  const by = body.agent ?? body.person;
  const asked = openQuestions(state).find((q) => q.id === id);
  if (!asked) return refuse('unknown_question', whyNotOpen(state, id));
  // A person who is called as the agent is here is still a person.
  if (byAgent !== (asked.of === 'agent') || (!byAgent && asked.of !== by))
    return refuse('not_asked', `${id} was asked of ${asked.of === 'agent' ? 'the agent' : nameOf(context.directory, asked.of)}, who answers it`);
  const wrong = whyNoText(text, TEXT_MAX, 'an answer');
  if (wrong) return wrong;
  const resumed = resumedFrom(state, asked, context.now, context);
  const given = { type: 'information_given', question: id, by, byAgent, text, packetDigest: '', resumed, owed: [], proof: proofOf(command) } as const;
  const packetDigest = digestWith(state, given, context, asked.text);
  const who = byAgent ? 'The agent' : nameOf(context.directory, by);
  const asker = ownersOf(state, context.plan).find(({ person }) => person === asked.by) ?? { person: asked.by, role: INFORMANT };
  const owed = [
    tellOne(state, context.plan, asker, `${who} has answered your question (${id})`),
    ...tellOwners(state, context, asked.by, `${who} has answered a question (${id})`),
  ].filter((one) => one.kind !== 'tell_asked' || one.to.person !== by);
  return tell(state, context, (story) => story.tell({ ...given, packetDigest, owed }));
}

function whyNotOpen({ questions }: ApprovalState, id: string): string {
  const known = questions.find((q) => q.id === id);
  if (known)
    return `Question ${id} is ${known.status === 'answered' ? 'answered already' : 'no longer asked: its time is over, or nobody needs the answer any more'}`;
  const open = openQuestions({ questions }).map((q) => q.id);
  return `There is no question ${id}; ${open.length > 0 ? `open are ${open.join(', ')}` : 'none is open'}`;
}

// ---------------------------------------------------------------- evidence

/** Only from the agent that asks. Yeses that were given before stand: the record says which digest each of them saw. */
export function addEvidence(state: ApprovalState, command: MoveCommand, { name, title, content }: Of<'add_evidence'>, context: Context): Decision {
  const by = command.body.agent ?? '';
  const wrong = whyNoEvidence(state, { name, title, content });
  if (wrong) return wrong;
  const added = { type: 'evidence_added', by, name, title, content, packetDigest: '', owed: [], proof: proofOf(command) } as const;
  const packetDigest = digestWith(state, added, context);
  const owed = tellOwners(state, context, '', `The agent has added evidence (${name}): read the packet again`);
  return tell(state, context, (story) => story.tell({ ...added, packetDigest, owed }));
}

function whyNoEvidence({ supplements }: ApprovalState, { name, title, content }: Omit<Of<'add_evidence'>, 'type'>): Decision | null {
  if (!NAME.test(name)) return refuse('evidence_invalid', `${name.slice(0, 64)} is no name for evidence; use lower-case letters, digits and _`);
  if (supplements.some((one) => one.kind === 'evidence' && one.name === name))
    return refuse('evidence_invalid', `Evidence with the name ${name} was added before; nothing is replaced, give it a name of its own`);
  if (!title.trim() || title.length > TITLE_MAX) return refuse('evidence_invalid', `Give it a title of at most ${String(TITLE_MAX)} characters`);
  if (!content) return refuse('evidence_invalid', `${name} is empty; send what it says`);
  const bytes = bytesOf(content);
  if (bytes > EVIDENCE_BYTES_MAX)
    return refuse('too_much_evidence', `${name} has ${String(bytes)} bytes; at most ${String(EVIDENCE_BYTES_MAX)} go in one piece, larger ones by digest`);
  if (supplements.filter((one) => one.kind === 'evidence').length >= EVIDENCE_MAX)
    return refuse('too_much_evidence', `${String(EVIDENCE_MAX)} pieces were added already, and no more are taken`);
  const before = supplements.reduce((sum, one) => sum + bytesOf(one.content), 0);
  return before + bytes > ADDED_BYTES_MAX
    ? refuse('too_much_evidence', `With it ${String(before + bytes)} bytes would have been added; at most ${String(ADDED_BYTES_MAX)} are taken together`)
    : null;
}

type Adding = Extract<ApprovalEvent, { type: 'information_given' | 'evidence_added' }>;

/** The digest of the packet once an event has added to it. */
const digestWith = (state: ApprovalState, event: Adding, { now, digestOf }: Context, question?: string): string =>
  digestOf([...state.supplements, supplementOf({ seq: 0, at: now }, event, question)]);

// ---------------------------------------------------------------- what was not seen

/** Why a decision on this digest does not count, with what was added to the packet since. */
export function whyStale({ supplements }: ApprovalState, saw: string | null, { digestOf, directory }: Context): string {
  const last = supplements.findLastIndex((one) => one.digest === saw);
  const unseen = last >= 0 ? supplements.slice(last + 1) : saw !== null && supplements.length > 0 && saw === digestOf([]) ? supplements : [];
  const again = 'read it again and decide anew';
  if (unseen.length === 0) return `You decided on a version of the packet that is no longer current; ${again}`;
  const words = unseen.map(({ kind, name, source, by, at }) => {
    const who = source === 'agent' ? 'the agent' : nameOf(directory, by);
    return `${kind === 'evidence' ? `evidence ${name} from ${who}` : `an answer from ${who} (${name})`} at ${at}`;
  });
  return `Since you read the packet this was added: ${words.join('; ')}; ${again}`;
}
