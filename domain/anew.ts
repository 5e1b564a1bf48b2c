/**
 * People come and go, and calendars change, while somebody waits: who is asked, and until when, is found out again.
 * Only by an event on the record, and only where something changes. Pure: imports only from domain.
 */
import type { Context, Story } from './ladder';

/** Looks at every open level with the directory and the calendars in force now. */
export function resolveAnew(_story: Story, _context: Context): void {
  return;
}
