/**
 * Every migration, oldest first. Names sort in the order they run. A migration that has been released is never edited.
 */
import type { Migration } from 'kysely';
import { spine } from './0001_spine';
import { appendOnly } from './0002_append_only';
import { reached } from './0003_reached';
import { recent } from './0004_recent';
import { unplaced } from './0005_unplaced';
import { sideBySide } from './0006_side_by_side';
import { moves } from './0007_moves';
import { involved } from './0008_involved';
import { people } from './0009_people';

export const migrations: Record<string, Migration> = {
  '0001_spine': spine,
  '0002_append_only': appendOnly,
  '0003_reached': reached,
  '0004_recent': recent,
  '0005_unplaced': unplaced,
  '0006_side_by_side': sideBySide,
  '0007_moves': moves,
  '0008_involved': involved,
  '0009_people': people,
};
