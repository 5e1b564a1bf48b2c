import { createPace } from '../../../activities/pace';

const URL_A = 'https://a.example/resume';
const URL_B = 'https://b.example/resume';
const ok = (): boolean => true;

/** A call that ends when it is told to. */
function held(): { readonly call: () => Promise<string>; readonly end: () => void } {
  let end: () => void = () => undefined;
  const done = new Promise<string>((resolve) => (end = () => resolve('answered')));
  return { call: () => done, end: () => end() };
}

describe('an agent', () => {
  it('is not held to be quick before it has answered, and is afterwards, on its whole host', async () => {
    const pace = createPace();
    expect(pace.isQuick(URL_A)).toBe(false);
    expect(await pace.watch(URL_A, async () => 'answered', ok)).toBe('answered');
    expect(pace.isQuick(URL_A)).toBe(true);
    expect(pace.isQuick('https://a.example/other')).toBe(true);
    expect(pace.isQuick(URL_B)).toBe(false);
  });

  it('is quick no longer once it refuses, or the call fails', async () => {
    const pace = createPace();
    await pace.watch(URL_A, async () => 503, ok);
    await pace.watch(
      URL_A,
      async () => 503,
      () => false,
    );
    expect(pace.isQuick(URL_A)).toBe(false);
    await pace.watch(URL_A, async () => 200, ok);
    await expect(pace.watch(URL_A, () => Promise.reject(new Error('reset')), ok)).rejects.toThrow('reset');
    expect(pace.isQuick(URL_A)).toBe(false);
  });

  it('is quick no longer while a call to it is late, nor when that call succeeds in the end', async () => {
    const pace = createPace(10);
    await pace.watch(URL_A, async () => 'answered', ok);
    const { call, end } = held();
    const late = pace.watch(URL_A, call, ok);
    while (pace.isQuick(URL_A)) await new Promise((resolve) => setTimeout(resolve, 5));
    end();
    expect(await late).toBe('answered');
    expect(pace.isQuick(URL_A)).toBe(false);
  });
});
