/** `npm start`: what is missing is installed, then everything is brought up (workers/up.ts). */
import { ensurePackages, requireNode, runTs } from './lib.mjs';

requireNode();
await ensurePackages();
// The channel tells it when this process dies.
process.exitCode = await runTs('workers/up.ts', process.argv.slice(2), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
