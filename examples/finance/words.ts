/**
 * A line of an approval's timeline in plain words, with times of day. Pure.
 */
import type { ApprovalEvent, OwedKind } from '../../domain/events';
import type { TimelineEntry } from '../support/people';

const DONE: Readonly<Record<OwedKind, (to: string) => string>> = {
  ask: (to) => `${nameOf(to)} was asked by mail`,
  remind: (to) => `${nameOf(to)} was reminded by mail`,
  page_backup: (to) => `${nameOf(to)} was paged by mail`,
  tell_asked: (to) => `${nameOf(to)} was told by mail how it ended`,
  tell_requester: (to) => `${nameOf(to)}, who answers for the agent, was told by mail`,
  tell_customer: (to) => `the customer was told by mail (${to})`,
  open_ticket: (to) => `a ticket was opened in the queue ${to}`,
  ask_person: (to) => `${nameOf(to)} was asked for information by mail`,
  ask_agent: () => 'the agent was asked for information',
  open_case: (to) => `a case was opened in the queue ${to}`,
  raise_incident: (to) => `an incident was raised in the queue ${to}`,
  pause_credential: (to) => `the credential ${to} was paused`,
  resume_credential: (to) => `the credential ${to} works again`,
  callback: () => 'the agent took the signed callback, and resumes',
  signal_workflow: () => 'the agent was signalled, and resumes',
  pause_workflow: () => 'the agent was told to pause',
  disable_credential: (to) => `the credential ${to} was disabled`,
};

/** What stands on the terminal; null for what only a machine wants to know. */
export function inWords({ at, text, event }: TimelineEntry): string | null {
  const said = wordsFor(event, text);
  return said === null ? null : `${timeOf(at)}  ${said}`;
}

function wordsFor(event: ApprovalEvent, text: string): string | null {
  switch (event.type) {
    case 'claimed':
    case 'reminded':
      return null;
    case 'level_opened':
      return `${event.asked.map(({ person }) => nameOf(person)).join(' and ')} (${event.name}) is asked until ${timeOf(event.dueAt)}; then ${event.next}`;
    case 'level_timed_out':
      return `Silence: ${nameOf(event.owner)} (${event.name}) did not answer by ${timeOf(event.dueAt)}`;
    case 'attempted':
      return event.status === 'done' ? `  ${DONE[event.kind](event.to)}` : `  ${text}`;
    case 'ended':
      return `ENDED as ${event.outcome}: ${event.why}; next: ${event.next.path}`;
    default:
      return text;
  }
}

/** Ids of this example's people are their names. */
const nameOf = (id: string): string =>
  id
    .split('_')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join(' ');

/** 09:30 of 2026-11-21T09:30:12.345Z. */
const timeOf = (instant: string): string => instant.slice(11, 16);
