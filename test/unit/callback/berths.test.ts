import { BERTHS, BERTHS_OF_THE_SILENT, createBerths, type Berth, type Berths, type Heard } from '../../../activities/berths';

/** Longer than any test: who stands, stands until somebody leaves. */
const LONG = 60_000;
const leave = (berth: Berth | undefined, heard: Heard): void => {
  if (!berth || !('leave' in berth)) throw new Error('It was turned away');
  berth.leave(heard);
};
const fill = async (berths: Berths, host: string, n = BERTHS): Promise<Berth[]> => await Promise.all(Array.from({ length: n }, () => berths.enter(host)));
const turnedAway = (berth: Berth): boolean => 'busyForMs' in berth;

describe('the places at one host', () => {
  it('are bounded, and another host has its own', async () => {
    const berths = createBerths(1);
    const inside = await fill(berths, 'a');
    expect(inside.some(turnedAway)).toBe(false);
    expect(await berths.enter('a')).toEqual({ busyForMs: 2_000 });
    expect(turnedAway(await berths.enter('b'))).toBe(false);
    leave(inside[0], 'answered');
    expect(turnedAway(await berths.enter('a'))).toBe(false);
  });

  it('are waited for in order while the host answers, by so many and no more', async () => {
    const berths = createBerths(LONG);
    const inside = await fill(berths, 'a');
    const order: number[] = [];
    const standing = Array.from({ length: BERTHS }, (_, i) =>
      berths.enter('a').then((berth) => {
        order.push(i);
        return berth;
      }),
    );
    expect(turnedAway(await berths.enter('a'))).toBe(true);
    for (const berth of inside) leave(berth, 'answered');
    expect((await Promise.all(standing)).some(turnedAway)).toBe(false);
    expect(order).toEqual(standing.map((_, i) => i));
  });

  it('left twice are left once', async () => {
    const berths = createBerths(1);
    const [first] = await fill(berths, 'a');
    leave(first, 'answered');
    leave(first, 'answered');
    expect(turnedAway(await berths.enter('a'))).toBe(false);
    expect(turnedAway(await berths.enter('a'))).toBe(true);
  });
});

describe('a host that let a call time out', () => {
  const silent = async (berths: Berths, host: string): Promise<void> => {
    const [one] = await fill(berths, host, 1);
    leave(one, 'silent');
  };

  it('gets enough to notice that it is back, nobody stands and waits, and who is turned away stays away longer and longer', async () => {
    const berths = createBerths(LONG);
    await silent(berths, 'a');
    expect((await fill(berths, 'a', BERTHS_OF_THE_SILENT)).some(turnedAway)).toBe(false);
    const away: number[] = [];
    for (let i = 0; i < 200; i += 1) {
      const berth = await berths.enter('a');
      away.push('busyForMs' in berth ? berth.busyForMs : 0);
    }
    expect(away[0]).toBe(15_000);
    expect(away[9]).toBe(75_000);
    expect(Math.max(...away)).toBe(600_000);
    expect(away).toEqual([...away].sort((x, y) => x - y));
  });

  it('has all its places again after one answer, and none more by a refused connection', async () => {
    const berths = createBerths(1);
    await silent(berths, 'a');
    const [first, second] = await fill(berths, 'a', BERTHS_OF_THE_SILENT);
    leave(first, 'other');
    expect(turnedAway(await berths.enter('a'))).toBe(false);
    expect(turnedAway(await berths.enter('a'))).toBe(true);
    leave(second, 'answered');
    expect((await fill(berths, 'a', BERTHS - 1)).some(turnedAway)).toBe(false);
    expect(turnedAway(await berths.enter('a'))).toBe(true);
  });
});
