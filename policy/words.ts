/**
 * What a policy says of waiting, questions and operators, in words that people compare and read.
 * Pure: imports types only, and the notation of durations.
 */
import type { Meanwhile, MeanwhileEffects, Operators, Plan, Questions } from '../domain/plan';
import { durationText } from './units';

/** How the agent does what it is told: null where its directive needs nothing besides. */
export function detailWords({ retryAfterMs, alternative, toPercent }: Meanwhile): string | null {
  if (retryAfterMs !== undefined) return `after ${durationText(retryAfterMs)}`;
  if (alternative) return `${alternative.type}: ${alternative.summary}`;
  return toPercent === undefined ? null : `to ${String(toPercent)}% of the usual`;
}

type Effect = readonly [name: string, words: string];

/** What is carried out as soon as the request is open, as a policy names it. */
export const effectsInWords = ({ tellCustomer, openCase, raiseIncident, pauseCredentials = [] }: MeanwhileEffects): Effect[] => [
  ...(tellCustomer ? [['tell_customer', `the customer is told “${tellCustomer.subject}: ${tellCustomer.text}”`] as const] : []),
  ...(openCase ? [['open_case', `a case is opened in ${openCase.queue} for ${openCase.owner}: ${openCase.title}`] as const] : []),
  ...(raiseIncident ? [['raise_incident', `an incident is raised in ${raiseIncident.queue} for ${raiseIncident.owner}: ${raiseIncident.title}`] as const] : []),
  ...pauseCredentials.map(({ credential, reason }) => ['pause_credential', `the credential ${credential} is paused: ${reason}`] as const),
];

export const questionWords = ({ clock, withinMs, atMost }: Questions): string =>
  atMost === 0
    ? 'nobody may ask for information'
    : `${String(atMost)} at most, ${durationText(withinMs)} each; the clock ${clock === 'pauses' ? 'stands still' : 'runs on'} meanwhile`;

const listed = (names: readonly string[]): string => names.join(', ');

export const operatorLines = ({ roles, extendAtMostMs, override, breakGlass }: Operators): string[] => [
  `${listed(roles)} may reassign, take over and re-open deliveries${extendAtMostMs === undefined ? '' : `, and extend a level by ${durationText(extendAtMostMs)} in all`}`,
  ...(override
    ? [
        `${listed(override.roles)} may override (${override.may.join(' or ')})${override.secondPerson ? ', two of them together' : ''}, because of ${listed(Object.keys(override.reasons))}`,
      ]
    : []),
  ...(breakGlass ? [`${listed(breakGlass.roles)} may break the glass; ${breakGlass.review.owner} reviews it`] : []),
];

/** What a plan says of waiting, questions and operators, a line each; what it does not say is not there. */
export function movesInWords({ meanwhile, questions, takeoverMs, takeoverAtMostMs, onDeny, operators }: Plan): string[] {
  const detail = detailWords(meanwhile);
  return [
    ...(detail === null ? [] : [`${meanwhile.agent} ${detail}`]),
    ...effectsInWords(meanwhile.effects ?? {}).map(([, words]) => `at once ${words}`),
    ...(questions ? [`questions: ${questionWords(questions)}`] : []),
    ...(onDeny.oneNo === undefined ? [] : ['a no goes to the next level, and ends it at the last']),
    ...(takeoverAtMostMs === undefined ? [] : [`who takes over has ${durationText(takeoverMs)}, and with updates ${durationText(takeoverAtMostMs)} in all`]),
    ...(operators ? operatorLines(operators).map((line) => `operators: ${line}`) : []),
  ];
}
