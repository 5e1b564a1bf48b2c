/**
 * How a row ends when the answer is no, when nobody answers, or when who took over does not finish.
 * Pure.
 */
import { TIMEOUT_ENDS, type OnDeny, type OnTimeout } from '../domain/plan';
import { placeOf } from './declare';
import { checkRole, doubtLong } from './ladder';
import type { CompiledSignOff } from './model';
import type { Place, Report } from './report';
import type { DefaultsDocument, RowDocument } from './schema';
import { parseDuration } from './units';
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

export function onDenyOf(doc: RowDocument, defaults: DefaultsDocument): OnDeny {
  const said = doc.on_deny ?? defaults.on_deny;
  return said ? { path: said.path, tellRequester: said.tell_requester, ...notice(said.tell_customer) } : { path: 'end the run', tellRequester: false };
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
