/**
 * The fixed table: who does what about each of the actions that wait for a person, and how each must end.
 * Plain data. Whoever is not named in an act stays silent, and the ladder of the policy goes on without them.
 */
import type { Move } from '../../domain/moves';
import type { Outcome } from '../../domain/outcome';

/** At this level of the ladder, this person makes these moves, one after the other. */
export interface Act {
  readonly at: string;
  readonly who: string;
  readonly moves: readonly Move[];
}

export interface Behaviour {
  readonly story: string;
  readonly acts: readonly Act[];
  readonly ends: Outcome;
  /** The actions that it is played on. */
  readonly actions: readonly string[];
}

/** What is not in the table needs nobody. */
export const UNNAMED: Outcome = 'allowed';

const yes: Move = { type: 'approve', reason: 'The amount fits the items' };
const no: Move = { type: 'deny', reason: 'It was refunded before' };
const takeOver: Move = { type: 'take_over', reason: 'I know this customer' };
const byHand: readonly Move[] = [takeOver, { type: 'resolve', result: 'Settled on the phone' }];
const handBack: readonly Move[] = [takeOver, { type: 'hand_back', instructions: 'Offer a voucher, then go on' }];

const act = (at: string, who: string, ...moves: Move[]): Act => ({ at, who, moves });
const manager = (...moves: Move[]): Act => act('finance manager', 'fiona_hart', ...moves);
const otherManager = (...moves: Move[]): Act => act('finance manager', 'frank_osei', ...moves);
const stepsIn = (...moves: Move[]): Act => act('CFO for the finance manager', 'carla_weiss', ...moves);
const cfo = (...moves: Move[]): Act => act('CFO', 'carla_weiss', ...moves);
const otherCfo = (...moves: Move[]): Act => act('CFO', 'chen_liu', ...moves);
const officer = (...moves: Move[]): Act => act('security officer', 'omar_said', ...moves);
const lead = (...moves: Move[]): Act => act('support lead', 'sam_rivera', ...moves);

/** Refunds over USD 250.00 up to USD 1,000.00: the finance manager's, and the CFO's after four hours of silence. */
const ONE_SIGN_OFF: readonly Behaviour[] = [
  { story: 'the manager approves', acts: [manager(yes)], ends: 'approved', actions: ['13_4', '14_4', '16_8', '28_7', '28_8', '30_6', '32_10', '35_5', '48_5'] },
  { story: 'the other manager approves', acts: [otherManager(yes)], ends: 'approved', actions: ['73_0'] },
  { story: 'the manager denies', acts: [manager(no)], ends: 'denied', actions: ['26_6', '81_1', '83_0', '84_0'] },
  { story: 'silence, then the CFO approves', acts: [stepsIn(yes)], ends: 'approved', actions: ['88_0', '91_0'] },
  { story: 'silence, then the CFO denies', acts: [stepsIn(no)], ends: 'denied', actions: ['92_0'] },
  { story: 'taken over, done by hand', acts: [manager(...byHand)], ends: 'resolved_by_person', actions: ['92_1'] },
  { story: 'taken over, handed back', acts: [manager(...handBack)], ends: 'handed_back', actions: ['104_0'] },
  { story: 'taken over, never finished', acts: [manager(takeOver)], ends: 'expired', actions: ['105_0'] },
  { story: 'nobody answers', acts: [], ends: 'expired', actions: ['action_1746656550382', '109_0'] },
];

/** Refunds over USD 1,000.00: the CFO signs after the finance manager, and the two are two people. */
const TWO_SIGN_OFFS: readonly Behaviour[] = [
  {
    story: 'both approve',
    acts: [manager(yes), cfo(yes)],
    ends: 'approved',
    actions: ['2_11', '11_4', '16_6', '16_7', '38_10', '46_5', '47_5', '51_6', '53_5', '54_9', '54_10'],
  },
  { story: 'the manager denies', acts: [manager(no)], ends: 'denied', actions: ['54_11', '55_9', '55_10'] },
  { story: 'the manager approves, the CFO denies', acts: [manager(yes), cfo(no)], ends: 'denied', actions: ['55_11', '66_4', '69_3', '74_0'] },
  { story: 'silence, the CFO steps in, another signs', acts: [stepsIn(yes), otherCfo(yes)], ends: 'approved', actions: ['76_0', '78_2'] },
  { story: 'silence, then the CFO denies', acts: [stepsIn(no)], ends: 'denied', actions: ['81_0'] },
  { story: 'the CFO takes over, done by hand', acts: [manager(yes), cfo(...byHand)], ends: 'resolved_by_person', actions: ['82_0'] },
  { story: 'taken over, handed back', acts: [manager(...handBack)], ends: 'handed_back', actions: ['90_0'] },
  { story: 'the manager approves, the CFO is silent', acts: [manager(yes)], ends: 'expired', actions: ['99_2'] },
  { story: 'nobody answers', acts: [], ends: 'expired', actions: ['114_1'] },
];

/** Transfers to a human: taken over, or held for the head of support, who is paged. */
const ESCALATIONS: readonly Behaviour[] = [
  { story: 'the lead takes over, done by hand', acts: [lead(...byHand)], ends: 'resolved_by_person', actions: ['10_4'] },
  { story: 'the lead takes over, hands back', acts: [lead(...handBack)], ends: 'handed_back', actions: ['12_4'] },
  { story: 'silence, held, then done by hand', acts: [act('held', 'hana_sato', ...byHand)], ends: 'resolved_by_person', actions: ['26_7'] },
  { story: 'nobody answers', acts: [], ends: 'expired', actions: ['50_0'] },
];

/** New profile addresses: security looks first, and silence is a no. */
const SECURITY: readonly Behaviour[] = [
  { story: 'the officer approves', acts: [officer(yes)], ends: 'approved', actions: ['22_1', '22_6', '33_5', '39_4', '41_6'] },
  { story: 'the officer denies', acts: [officer(no)], ends: 'denied', actions: ['42_6', '43_4', '86_1'] },
  { story: 'silence, then the head approves', acts: [act('head of security', 'greta_holm', yes)], ends: 'approved', actions: ['87_3'] },
  { story: 'taken over, handed back', acts: [officer(...handBack)], ends: 'handed_back', actions: ['110_1'] },
  { story: 'nobody answers', acts: [], ends: 'denied', actions: ['111_1'] },
];

/** The four plans that wait for a person, as the policy must make them. */
export const TABLE = {
  'finance, one sign-off': ONE_SIGN_OFF,
  'finance, two sign-offs': TWO_SIGN_OFFS,
  'customer, escalation': ESCALATIONS,
  'security, one sign-off': SECURITY,
} as const satisfies Readonly<Record<string, readonly Behaviour[]>>;
