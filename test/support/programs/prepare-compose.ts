/**
 * Before the tests: builds what the tests of docker-compose.yml run, so that none of them waits for a compiler. Nothing without Go.
 */
import { composeCheck, go, temporalPrograms } from '../compose/tools';

async function main(): Promise<void> {
  const onProgress = (line: string): void => void process.stdout.write(`${line}\n`);
  if (go === null) return onProgress('No Go here: the tests of docker-compose.yml are skipped.');
  onProgress(`The check of docker-compose.yml is here: ${await composeCheck(onProgress)}`);
  onProgress(`The servers of the images are here: ${(await temporalPrograms(onProgress)).bin}`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
