/** The API's settings: whole or not at all, and what is for development stays there. */
import { ConfigError, readConfig } from '../../../client/api/config';

const NEEDED = { DATABASE_URL: 'postgresql://app:secret@db/countersign', COUNTERSIGN_KEYS_FILE: 'keys.json' };

it('is production unless it is told otherwise', () => {
  expect(readConfig(NEEDED)).toMatchObject({ COUNTERSIGN_ENV: 'production', COUNTERSIGN_API_PORT: 8700, COUNTERSIGN_ALLOW_LOOPBACK: false, COUNTERSIGN_CLOCK: 'database' });
});

it('takes an empty value for none', () => {
  expect(readConfig({ ...NEEDED, COUNTERSIGN_CLOCK_ORIGIN: '', COUNTERSIGN_API_PORT: '' })).toMatchObject({ COUNTERSIGN_API_PORT: 8700 });
});

it.each([
  ['a missing store', { DATABASE_URL: undefined }, 'DATABASE_URL'],
  ['a store of another kind', { DATABASE_URL: 'mysql://db' }, 'DATABASE_URL'],
  ['a port that is none', { COUNTERSIGN_API_PORT: '99999' }, 'COUNTERSIGN_API_PORT'],
  ['loopback callbacks in production', { COUNTERSIGN_ALLOW_LOOPBACK: 'true' }, 'COUNTERSIGN_ALLOW_LOOPBACK'],
  ['a faster clock in production', { COUNTERSIGN_CLOCK: 'scaled', COUNTERSIGN_CLOCK_ORIGIN: '2026-01-01T00:00:00Z' }, 'COUNTERSIGN_CLOCK'],
  ['a scaled clock without an origin', { COUNTERSIGN_ENV: 'development', COUNTERSIGN_CLOCK: 'scaled' }, 'COUNTERSIGN_CLOCK_ORIGIN'],
])('refuses %s by name, without its value', (_what, change, name) => {
  const read = () => readConfig({ ...NEEDED, ...change });
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(name);
  expect(read).not.toThrow(/secret|mysql/);
});
