/** The limiter: never more at once than it says, in order of arrival, and a failure gives its place on. */
import { createLimiter, LineFull } from '../../../client/api/limiter';

/** Work that ends when it is told to. */
function work() {
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const started: number[] = [];
  const start = (id: number) => async () => {
    started.push(id);
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((end) => ends.push(end));
    running -= 1;
    return id;
  };
  return { start, started, endNext: () => ends.shift()?.(), most: () => most };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
};

it('runs at most so many at once per approval, and the others in order', async () => {
  const { start, started, endNext, most } = work();
  const limiter = createLimiter(2);
  const all = Promise.all([0, 1, 2, 3, 4].map((id) => limiter.run('a', start(id))));
  await settle();
  expect(started).toEqual([0, 1]);
  for (let i = 0; i < 5; i += 1) {
    endNext();
    await settle();
  }
  expect(await all).toEqual([0, 1, 2, 3, 4]);
  expect(started).toEqual([0, 1, 2, 3, 4]);
  expect(most()).toBe(2);
});

it('does not let one approval wait for another', async () => {
  const { start, started, endNext } = work();
  const limiter = createLimiter(1);
  const both = Promise.all([limiter.run('a', start(0)), limiter.run('b', start(1))]);
  await settle();
  expect(started).toEqual([0, 1]);
  endNext();
  endNext();
  await both;
});

it('passes a failure on and frees its place', async () => {
  const limiter = createLimiter(1);
  await expect(limiter.run('a', () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  expect(await limiter.run('a', () => Promise.resolve('next'))).toBe('next');
});

it('turns away who finds the line full, and takes the next when it has moved', async () => {
  const { start, started, endNext } = work();
  const limiter = createLimiter(1, 1);
  const first = limiter.run('a', start(0));
  const second = limiter.run('a', start(1));
  await expect(limiter.run('a', start(2))).rejects.toBeInstanceOf(LineFull);
  endNext();
  await settle();
  const third = limiter.run('a', start(3));
  endNext();
  await settle();
  endNext();
  await Promise.all([first, second, third]);
  expect(started).toEqual([0, 1, 3]);
});
