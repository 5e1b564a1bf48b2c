/**
 * What the worker counts of its own: commits, refusals, attempts, sweeps, the sequencer. The names are in docs/metrics.md.
 * Counts around the activities, so that they know nothing of it. Labels are closed words, never ids.
 */
import type { MetricMeter } from '@temporalio/common';
import type { Sequenced } from '../record/store/sequencer';
import { EFFECTS, type ApprovalActivities, type AttemptInput, type AttemptResult, type EffectActivities } from '../workflows/protocol';

/** The activities, counted. */
export function metered(activities: ApprovalActivities, meter: MetricMeter): ApprovalActivities {
  const commits = meter.createCounter('countersign_commits', undefined, 'Commits by command and answer');
  const refusals = meter.createCounter('countersign_refusals', undefined, 'Moves that were refused, by code');
  const commitSeconds = meter.createHistogram('countersign_commit_seconds', 'float', undefined, 'How long a commit took');
  const attempts = meter.createCounter('countersign_attempts', undefined, 'Attempts at messages, tickets and callbacks, by kind and status');
  const attemptSeconds = meter.createHistogram('countersign_attempt_seconds', 'float', undefined, 'How long an attempt took');
  const done = meter.createCounter('countersign_sweep_done', undefined, 'What the sweep looked at and did');
  const found = meter.createGauge('countersign_sweep_found', 'int', undefined, 'What the last sweep of this process found, and a person has to look at');
  const swept = meter.createGauge('countersign_sweep_last_success_timestamp_seconds', 'float', undefined, 'When the last sweep of this process ended well');

  const counted = (kind: string, attempt: (input: AttemptInput) => Promise<AttemptResult>) => async (input: AttemptInput) => {
    const started = performance.now();
    let status = 'failed';
    try {
      const result = await attempt(input);
      ({ status } = result);
      return result;
    } finally {
      attempts.add(1, { kind, status });
      attemptSeconds.record((performance.now() - started) / 1000, { kind });
    }
  };
  const effects = Object.fromEntries(Object.entries(EFFECTS).map(([kind, name]) => [name, counted(kind, activities[name])])) as unknown as EffectActivities;

  return {
    ...activities,
    ...effects,
    async commit(input) {
      const command = input.command.type;
      const started = performance.now();
      let answer = 'failed';
      try {
        const result = await activities.commit(input);
        answer = result.answer === null ? 'done' : result.answer.accepted ? 'accepted' : 'refused';
        if (result.answer?.refusal) refusals.add(1, { code: result.answer.refusal.code });
        return result;
      } finally {
        commits.add(1, { command, answer });
        commitSeconds.record((performance.now() - started) / 1000, { command });
      }
    },
    async reconcile(input) {
      const report = await activities.reconcile(input);
      // Zero, too: an alarm needs the series before its first finding.
      for (const [what, n] of Object.entries(report)) if (typeof n === 'number') done.add(n, { what });
      for (const [what, n] of Object.entries(report.found)) found.set(n, { what });
      swept.set(Date.now() / 1000);
      return report;
    },
  };
}

/** Told of every round of the sequencer. */
export function meteredSequencer(meter: MetricMeter): (done: readonly Sequenced[]) => void {
  const placed = meter.createCounter('countersign_sequenced_entries', undefined, 'Entries that this process gave their place in the log');
  const refused = meter.createGauge(
    'countersign_sequencer_refused',
    'int',
    undefined,
    'Entries that bear no valid seal, so that they and what follows get no place',
  );
  const last = meter.createGauge(
    'countersign_sequencer_last_success_timestamp_seconds',
    'float',
    undefined,
    'When this process last sequenced without an error',
  );
  return (done) => {
    placed.add(done.reduce((sum, { added }) => sum + added, 0));
    refused.set(done.reduce((sum, one) => sum + one.refused.length, 0));
    last.set(Date.now() / 1000);
  };
}
