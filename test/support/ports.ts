/**
 * Ports for programs that bind them later: the one place where a test draws any.
 * Promises: a port is given to one test process of this machine at a time, and to none twice, from when it is drawn until the process
 * ends; connections of the system do not get it by themselves where it keeps a range for them. What else binds it in between is not ours,
 * and whoever starts a program says so by its name.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';
/** Temporal's server keeps its own ports in columns of two bytes. */
const LOWEST = 10_000;
const HIGHEST = 32_000;
/** Fewer than these would be drawn twice too often. */
const ENOUGH = 2_000;

/** From, and up to. */
type Range = readonly [number, number];
const RANGE = portsBelow(callersFrom());

/**
 * A free port, ours from now on. A caller that knocks again and again at a port whose server is not there yet could be given that very
 * port, and keep it: so it lies where the system does not take the ports of callers from.
 */
export async function holdPort(range: Range = RANGE): Promise<number> {
  for (;;) {
    const port = randomInt(...range);
    if ((await isHeld(port)) && (await isFree(port))) return port;
  }
}

export async function holdPorts(count: number, range: Range = RANGE): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await holdPort(range));
  return ports;
}

/** All of ours, where hardly any of them lies below those of callers. */
export function portsBelow(callers: number): Range {
  const top = Math.min(HIGHEST, callers);
  return [LOWEST, top - LOWEST < ENOUGH ? HIGHEST : top];
}

/** Where the ports begin that the system gives to callers. */
function callersFrom(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/)[0]);
  } catch {
    return HIGHEST; // Not Linux: others begin far above.
  }
}

/**
 * The claim of a port is the port of the same number for datagrams, which none of our programs uses: the system gives it to one process
 * only, and takes it back however that one ends.
 */
const isHeld = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const claim = createSocket('udp4');
    claim.once('error', () => {
      claim.close();
      resolve(false);
    });
    claim.bind({ port, address: HOST, exclusive: true }, () => {
      claim.unref();
      resolve(true);
    });
  });

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
