/** `npm start`: what is missing is installed, then everything is brought up (workers/up.ts). */
import { ensurePackages, requireNode, runTs } from './lib.mjs';

requireNode();
await ensurePackages();
process.exitCode = await runTs('workers/up.ts', process.argv.slice(2));
