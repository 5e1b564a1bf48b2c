/**
 * Counts and sums over recent requests, as a policy declares them: what many small requests come to.
 * Pure. One that is wrong is reported, and stands in as well as it can.
 */
import { placeOf, type At, type Declared } from './declare';
import type { CompiledRecent } from './model';
import type { Report } from './report';
import type { RecentDocument } from './schema';
import { parseDuration } from './units';

/** Longer windows would read the record of a season at every request. */
const WINDOW_MAX_MS = 90 * 86_400_000;

export function compileRecent(name: string, doc: RecentDocument, at: At, declared: Declared, report: Report): CompiledRecent {
  const withinMs = parseDuration(doc.within);
  if (withinMs === undefined) report.error('bad_duration', placeOf(at, 'within'), null, `${doc.within} is no duration; write for example 24h or 7d`);
  else if (withinMs > WINDOW_MAX_MS)
    report.error('bad_duration', placeOf(at, 'within'), null, `${name} looks back further than 90 days, which is the most; shorten within:`);
  if ((doc.sum === undefined) === (doc.count === undefined))
    report.error('contradiction', placeOf(at), null, `${name} is either a sum or a count; write sum: and the name of a param, or count: true`);
  for (const [i, type] of doc.of.entries()) {
    const action = declared.actions.get(type);
    if (!action)
      report.error('unknown_action_type', placeOf(at, 'of', i), null, `There is no action ${type}; it is one of ${[...declared.actions.keys()].join(', ')}`);
    else if (doc.sum !== undefined && action.params.get(doc.sum)?.type.kind !== 'money')
      report.error('bad_type', placeOf(at, 'of', i), null, `${type} has no param ${doc.sum} of type money that could be summed; name another param or action`);
  }
  return { name, of: doc.of, per: doc.per, withinMs: Math.min(withinMs ?? 1000, WINDOW_MAX_MS), sum: doc.sum ?? null };
}
