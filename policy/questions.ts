/**
 * How people ask for information: read from a row, merged over rows.
 *
 * A row that says nothing of it means QUESTIONS: then the clock runs. So a row more never moves a deadline that stood, never gives a question
 * more time and never allows more of them.
 * Pure.
 */
import { QUESTIONS, type Questions } from '../domain/plan';
import { placeOf } from './declare';
import { doubtLong } from './ladder';
import type { CompiledRow, CompiledSignOff } from './model';
import type { DefaultsDocument } from './schema';
import { durationText, parseDuration } from './units';
import type { Work } from './work';

/** Null where neither the row nor the defaults say anything of it. */
export function compileQuestions(work: Work, defaults: DefaultsDocument, signOffs: readonly CompiledSignOff[]): Questions | null {
  const { row, report, declared } = work;
  const [own, inherited] = [row.doc.questions, defaults.questions];
  const doc = own ?? inherited;
  if (doc === undefined) return null;
  const at = own ? row.at : (declared.defaults?.at ?? row.at);
  if (Object.keys(doc).length === 0)
    report.error('bad_shape', placeOf(at, 'questions'), row.id, 'questions: says nothing; name clock, within or at_most, or remove it');
  const within = own?.within ?? inherited?.within;
  const withinAt = placeOf(
    own?.within === undefined && declared.defaults && inherited?.within !== undefined ? declared.defaults.at : at,
    'questions',
    'within',
  );
  const withinMs = within === undefined ? QUESTIONS.withinMs : parseDuration(within);
  if (withinMs === undefined) report.error('bad_duration', withinAt, row.id, `${within ?? ''} is no duration; write for example 4h`);
  doubtLong(withinMs, 'A question may wait', withinAt, row.id, report);
  const questions: Questions = {
    clock: own?.clock ?? inherited?.clock ?? QUESTIONS.clock,
    withinMs: withinMs ?? QUESTIONS.withinMs,
    atMost: own?.at_most ?? inherited?.at_most ?? QUESTIONS.atMost,
  };
  if (questions.clock === 'pauses' && questions.atMost > 0) {
    const shortest = signOffs.reduce<CompiledSignOff | null>((least, one) => (least === null || runs(one) < runs(least) ? one : least), null);
    if (shortest && questions.withinMs > runs(shortest))
      report.warn(
        'long_question',
        withinAt,
        row.id,
        `One question may stop the clock of the row ${row.id} for ${durationText(questions.withinMs)}, longer than the whole ladder of ${shortest.role} runs (${durationText(runs(shortest))}); shorten within:, or say clock: runs`,
      );
  }
  return questions;
}

/** All levels of a ladder together, in milliseconds. */
const runs = ({ ladder }: CompiledSignOff): number => ladder.reduce((sum, level) => sum + level.withinMs, 0);

/** `rows` are those that ask. Null where none of them says anything of it. */
export function mergeQuestions(rows: readonly Pick<CompiledRow, 'questions'>[]): Questions | null {
  if (rows.every(({ questions }) => questions === null)) return null;
  const all = rows.map(({ questions }) => questions ?? QUESTIONS);
  return {
    clock: all.every(({ clock }) => clock === 'pauses') ? 'pauses' : 'runs',
    withinMs: Math.min(...all.map(({ withinMs }) => withinMs)),
    atMost: Math.min(...all.map(({ atMost }) => atMost)),
  };
}
