/**
 * What operators do with a request that is in other people's hands: give it to somebody else, extend a deadline, override, break the glass,
 * take it over, have a delivery tried again. Nobody operates on a request of their own side.
 * Pure: imports only from domain.
 */
import type { Context } from './ladder';
import type { ApprovalState } from './state';
import type { Decision, MoveCommand } from './telling';

/**
 * What a move of an operator does. Null where it is none of an operator's moves, or one that a holder of the asked role may make as well
 * (reassign, take_over) and the person is no operator: it is then looked at as theirs.
 */
export function operate(_state: ApprovalState, _command: MoveCommand, _context: Context): Decision | null {
  return null;
}
