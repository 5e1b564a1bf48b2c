/**
 * How a row ends when the answer is no, when nobody answers, or when who took over does not finish.
 * Pure.
 */
import { TIMEOUT_ENDS, type OnDeny, type OnTimeout } from '../domain/plan';
import { placeOf, type Declared } from './declare';
import { checkRole, doubtLong } from './ladder';
import type { CompiledRow, CompiledSignOff } from './model';
import type { Place, Report } from './report';
import type { DefaultsDocument } from './schema';
import { durationText, parseDuration } from './units';
import { need, type Work } from './work';

const TAKEOVER_MS = 4 * 3_600_000;

const notice = (n: { subject: string; text: string } | undefined): { tellCustomer?: { subject: string; text: string } } => (n ? { tellCustomer: n } : {});

export function onTimeoutOf(work: Work, defaults: DefaultsDocument, signOffs: readonly CompiledSignOff[]): OnTimeout {
  const { row, report } = work;
  const own = row.doc.on_timeout;
  const doc = own ?? defaults.on_timeout;
  const at = own ? row.at : (work.declared.defaults?.at ?? row.at);
  if (doc === undefined) {
    need(work, 'missing_on_timeout', 'on_timeout', 'what happens when nobody answers', `on_timeout: { end: ${TIMEOUT_ENDS.join(' | ')} }`);
    return { end: 'deny' };
  }
  const place = (...path: string[]) => placeOf(at, 'on_timeout', ...path);
  if (doc.end === undefined)
    report.error('missing_terminal_outcome', place(), row.id, `on_timeout does not say how it ends; add end: ${TIMEOUT_ENDS.join(' | ')}`);
  const end = doc.end ?? 'deny';
  if ((end === 'hold') !== (doc.hold !== undefined)) {
    report.error(
      'contradiction',
      place('hold'),
      row.id,
      end === 'hold'
        ? 'To hold, say whom to page and for how long: hold: { role, for: 4h, then: expire }'
        : `hold: has no effect when the end is ${end}; remove it, or say end: hold`,
    );
  }
  if ((end === 'safe_alternative') !== (doc.alternative !== undefined)) {
    report.error(
      'contradiction',
      place('alternative'),
      row.id,
      end === 'safe_alternative'
        ? 'Say what the agent does instead: alternative: { type, params, summary }'
        : `alternative: has no effect when the end is ${end}; remove it, or say end: safe_alternative`,
    );
  }
  if (doc.alternative && !work.declared.actions.has(doc.alternative.type)) {
    report.error(
      'unknown_action_type',
      place('alternative', 'type'),
      row.id,
      `There is no action ${doc.alternative.type}; the alternative is one of ${[...work.declared.actions.keys()].join(', ')}`,
    );
  }
  const forMs = doc.hold ? parseDuration(doc.hold.for) : undefined;
  if (doc.hold && forMs === undefined) report.error('bad_duration', place('hold', 'for'), row.id, `${doc.hold.for} is no duration; write for example 4h`);
  doubtLong(forMs, 'The hold may last', place('hold', 'for'), row.id, report);
  if (doc.hold) checkHeldFor(checkRole(doc.hold.role, place('hold', 'role'), row.id, report), signOffs, place('hold', 'role'), row.id, report);
  if (doc.ticket) checkRole(doc.ticket.owner, place('ticket', 'owner'), row.id, report);
  return {
    end,
    ...(doc.hold ? { hold: { role: doc.hold.role, forMs: forMs ?? 1000, then: doc.hold.then } } : {}),
    ...(doc.alternative ? { alternative: doc.alternative } : {}),
    ...(doc.ticket ? { ticket: doc.ticket } : {}),
    ...notice(doc.tell_customer),
    ...(doc.pause_workflow ? { pauseWorkflow: doc.pause_workflow } : {}),
    ...(doc.disable_credential ? { disableCredentials: [doc.disable_credential] } : {}),
  };
}

/** A hold is the last fallback of every sign-off. Where it is none for some of them it still serves the others. */
function checkHeldFor(role: string, signOffs: readonly CompiledSignOff[], at: Place, row: string, report: Report): void {
  const again = signOffs.filter(({ ladder }) => ladder[ladder.length - 1]?.role === role);
  if (again.length === 0) return;
  const [first] = again;
  if (again.length === signOffs.length)
    report.error('same_fallback', at, row, `The request is held for ${role} again, who has just not answered; name another role`);
  else
    report.warn(
      'same_fallback',
      at,
      row,
      `Where ${first?.role ?? role} in the lane ${first?.lane ?? ''} runs out, the request is held for ${role} again, who has just not answered; name a role that no sign-off ends with`,
    );
}

/**
 * A no moves up, instead of ending the request, only where somebody is asked; then also where this row's own ladder has one level, beside
 * rows whose have more. `unseen`: two people choose without seeing each other's choice, so that nothing follows from one of them.
 */
export function onDenyOf(
  { row, report }: Work,
  defaults: DefaultsDocument,
  { asks, unseen }: { readonly asks: boolean; readonly unseen: boolean },
  signOffs: readonly CompiledSignOff[],
): OnDeny {
  const own = row.doc.on_deny;
  const said = own ?? defaults.on_deny;
  if (!said) return { path: 'end the run', tellRequester: false };
  if (own?.one_no !== undefined && (!asks || unseen || onlyOneLevel(signOffs)))
    report.error(
      'decorative_key',
      row.at.source.keyAt([...row.at.base, 'on_deny', 'one_no']),
      row.id,
      !asks
        ? 'A row that blocks asks nobody, so one_no: has no effect; remove it'
        : unseen
          ? 'In dual control two people choose unseen, and one no among them ends it, so one_no: has no effect; remove it, or choose another tier'
          : 'Every ladder of this row has one level, so there is none above it for a no to go to, and one_no: has no effect; remove it, or add a level',
    );
  return {
    path: said.path,
    ...(asks && said.one_no !== undefined ? { oneNo: said.one_no } : {}),
    tellRequester: said.tell_requester,
    ...notice(said.tell_customer),
  };
}

const onlyOneLevel = (signOffs: readonly CompiledSignOff[]): boolean => signOffs.length > 0 && signOffs.every(({ ladder }) => ladder.length === 1);

/** Said in the defaults, and no row that takes it from there has a second level. */
export function checkOneNo({ defaults, rows, defaultRow }: Declared, compiled: readonly CompiledRow[], report: Report): void {
  if (defaults?.doc.on_deny?.one_no === undefined) return;
  const own = new Set([...rows, ...(defaultRow ? [defaultRow] : [])].filter(({ doc }) => doc.on_deny !== undefined).map(({ id }) => id));
  const moves = (row: CompiledRow): boolean =>
    row.onDeny.oneNo !== undefined && !(row.effect === 'approval' && row.tier === 'dual') && !onlyOneLevel(row.signOffs);
  if (compiled.some((row) => !own.has(row.id) && moves(row))) return;
  report.error(
    'decorative_key',
    defaults.at.source.keyAt([...defaults.at.base, 'on_deny', 'one_no']),
    null,
    'No row that takes it from the defaults has a ladder of two levels whose noes are seen, so one_no: has no effect; remove it, or add a level',
  );
}

export function takeoverOf({ row, report, declared }: Work, defaults: DefaultsDocument): number {
  const text = row.doc.takeover_within ?? defaults.takeover_within;
  if (text === undefined) return TAKEOVER_MS;
  const at = row.doc.takeover_within === undefined ? (declared.defaults?.at ?? row.at) : row.at;
  const duration = parseDuration(text);
  if (duration === undefined) report.error('bad_duration', placeOf(at, 'takeover_within'), row.id, `${text} is no duration; write for example 4h`);
  doubtLong(duration, 'Who takes over may take', placeOf(at, 'takeover_within'), row.id, report);
  return duration ?? TAKEOVER_MS;
}

/** How long a takeover may last with updates of who has it; null: no longer than without. */
export function takeoverAtMostOf({ row, report, declared }: Work, defaults: DefaultsDocument, takeoverMs: number): number | null {
  const own = row.doc.takeover_at_most;
  const text = own ?? defaults.takeover_at_most;
  if (text === undefined) return null;
  const place = placeOf(own === undefined ? (declared.defaults?.at ?? row.at) : row.at, 'takeover_at_most');
  const duration = parseDuration(text);
  if (duration === undefined) report.error('bad_duration', place, row.id, `${text} is no duration; write for example 24h`);
  doubtLong(duration, 'Who takes over may take, with updates,', place, row.id, report);
  // Where the defaults say it and the row gives the same time at once, there is nothing to mend.
  const pointless = own !== undefined || row.doc.takeover_within === undefined;
  if (duration !== undefined && (duration < takeoverMs || (duration === takeoverMs && pointless)))
    report.error(
      'contradiction',
      place,
      row.id,
      `takeover_at_most: ${text} is no longer than who takes over has anyway (${durationText(takeoverMs)}); make it longer, or remove it`,
    );
  return duration ?? null;
}
