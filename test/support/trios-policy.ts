/**
 * The finance desk with rows for lives that are long or busy: questions that stop the clock, operators, a hold that comes at once, a level
 * that lasts for two weeks, and a ladder of ten, each with three people.
 */
import { SIDE_POLICY } from './side-policy';

/** The levels of the long ladder. */
export const TEN = Array.from({ length: 10 }, (_, i) => i);
/** Who holds the role of one of them: the first is on duty. */
export const trioOf = (level: number): readonly [string, string, string] => [`a${String(level)}`, `b${String(level)}`, `c${String(level)}`];

const EXAMPLES = (type: string): string => `
    examples:
      match: [{ action: { type: ${type} } }]
      no_match: [{ action: { type: banner.change } }]`;

export const TRIOS_POLICY = `${SIDE_POLICY.replace(
  'actions:\n',
  'actions:\n  case.close: { params: {} }\n  rule.bend: { params: {} }\n  shift.swap: { params: {} }\n',
).replace('  takeover_within: 4h\n', '  takeover_within: 4h\n  takeover_at_most: 24h\n  questions: { clock: pauses, within: 4h, at_most: 20 }\n')}
  - id: close
    when: action.type == "case.close"${EXAMPLES('case.close')}
    lane: finance
    ladder: [{ name: finance manager, role: finance_manager, within: 1s }]
    on_timeout: { end: hold, hold: { role: cfo, for: 4h, then: deny } }
  - id: bend
    when: action.type == "rule.bend"${EXAMPLES('rule.bend')}
    lane: manager
    ladder:
${TEN.map((i) => `      - { name: level ${String(i)}, role: role${String(i)}, within: 10h }`).join('\n')}
  - id: swap
    when: action.type == "shift.swap"${EXAMPLES('shift.swap')}
    lane: manager
    ladder: [{ name: two weeks, role: role0, within: 14d, reminders: [] }]
operators:
  roles: [operator]
  extend_at_most: 4h
  override:
    roles: [operator]
    may: [approve, deny]
    reasons: { outage: Nobody can be reached }
  break_glass:
    roles: [operator]
    review: { queue: reviews, owner: security_officer, title: An approval was forced }
`;

/** A directory with the holders of the ten roles. */
export const withTrios = (directory: string): string =>
  directory
    .replace(
      'people:\n',
      `people:\n${TEN.flatMap((i) => trioOf(i).map((id) => `  ${id}: { name: Person ${id}, email: ${id}@example.com, roles: [role${String(i)}] }\n`)).join('')}`,
    )
    .replace('duty:\n', `duty:\n${TEN.map((i) => `  role${String(i)}: [${trioOf(i).join(', ')}]\n`).join('')}`);
