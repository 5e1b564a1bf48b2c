/** Problems: every code has a status, and the sentence is all that is told. */
import { SUBMIT_CODES } from '../../../activities/errors';
import { REFUSALS } from '../../../domain/moves';
import { ApiError, PROBLEM_CODES, problemOf, refused, statusOf } from '../../../client/api/problems';

it.each([...SUBMIT_CODES, ...REFUSALS])('%s is told with a status of its own kind', (code) => {
  expect(PROBLEM_CODES).toContain(code);
  expect(statusOf(code)).toBeGreaterThanOrEqual(400);
});

it.each(REFUSALS)('a move refused as %s is the caller’s to mend, never a fault of the server', (code) => {
  expect([403, 409, 422]).toContain(statusOf(code));
});

it('tells the sentence, the code and where to read of it, and no cause', () => {
  const error = new ApiError('key_reused', 'Use another key', {}, { cause: new Error('select * from requests') });
  expect(problemOf(error)).toEqual({
    type: '/problems/key_reused',
    title: 'The key was used for something else',
    status: 409,
    detail: 'Use another key',
    code: 'key_reused',
  });
});

it('tells a refused move with its command and where the approval stands', () => {
  expect(problemOf(refused({ code: 'already_decided', message: 'It ended as denied' }, 'c-1234567', 'denied'))).toMatchObject({
    status: 409,
    command_id: 'c-1234567',
    state: 'denied',
  });
});
