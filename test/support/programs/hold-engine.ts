/** A process that starts an engine, tells its pid, and then does nothing: a test kills it. */
import { startEngine } from '../../../workers/engine';

void startEngine({ env: process.env }).then(({ pid }) => {
  process.stdout.write(`engine ${pid ?? 0}\n`);
  setInterval(() => undefined, 60_000);
});
