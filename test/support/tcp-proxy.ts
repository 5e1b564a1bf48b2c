/** A wire that a test can cut, or hold, between a process and the store or the engine. Knows nothing of what passes. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  /** host:port */
  readonly address: string;
  /** Every connection breaks, and new ones are broken at once. */
  cut(): void;
  /** Nothing passes any more, and nothing breaks. */
  freeze(): void;
  /** New connections pass again. */
  mend(): void;
  stop(): Promise<void>;
}

/** `to`: host:port. */
export async function startTcpProxy(to: string): Promise<TcpProxy> {
  const [host, port] = [to.slice(0, to.lastIndexOf(':')), Number(to.slice(to.lastIndexOf(':') + 1))];
  const open = new Set<Socket>();
  let state: 'open' | 'cut' | 'frozen' = 'open';
  const keep = (socket: Socket): Socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    return socket.on('error', () => socket.destroy());
  };
  const server = createServer((near) => {
    keep(near);
    if (state === 'cut') return void near.destroy();
    if (state === 'frozen') return;
    const far = keep(connect({ host, port }));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = (): void => open.forEach((socket) => socket.destroy());
  return {
    address: `127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    cut() {
      state = 'cut';
      breakAll();
    },
    freeze() {
      state = 'frozen';
      for (const socket of open) socket.unpipe().pause();
    },
    mend() {
      state = 'open';
      breakAll();
    },
    async stop() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
