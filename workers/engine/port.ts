/** Ports: a free one, and one sentence when the wanted one is taken. */
import { createServer } from 'node:net';
import { EngineError, systemCode } from './errors';

const listen = (port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      const got = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(got));
    });
  });

/** A port that was free a moment ago. */
export const freePort = (host = '127.0.0.1'): Promise<number> => listen(0, host);

export const portInUse = (port: number, what: string, setting: string, cause?: unknown): EngineError =>
  new EngineError('port_in_use', `Port ${port}, wanted for ${what}, is in use: stop the program that listens there, or set ${setting} to a free port.`, {
    cause,
  });

/** Refuses with the sentence above unless the port can be listened on. `what`: "the API"; `setting`: the variable that changes it. */
export async function assertPortFree(port: number, what: string, setting: string, host = '127.0.0.1'): Promise<void> {
  try {
    await listen(port, host);
  } catch (cause) {
    if (systemCode(cause) === 'EACCES') {
      throw new EngineError('port_in_use', `Port ${port}, wanted for ${what}, may not be used by this user: set ${setting} to a port above 1023.`, { cause });
    }
    throw portInUse(port, what, setting, cause);
  }
}
