/** What is reported of a service that does not run. */
import { lostPort, whyOf } from '../../support/compose/words';

const STACK = 'go.temporal.io/server/common/log.(*zapLogger).Fatal\\n\\t/go/server/common/log/zap_logger.go:182\\ngo.uber.org/fx.(*module).invoke';
const fatal = (port: number): string => `2026/11/21 14:50:19 Loading configuration from environment variables only
{"level":"fatal","ts":"2026-11-21T14:50:19.971Z","msg":"Failed to start gRPC listener","error":"listen tcp 127.0.0.1:${String(port)}: bind: address already in use","service":"history","logging-call-at":"/go/rpc.go:167","stacktrace":"${STACK}"}
`;

describe('why a service does not run', () => {
  it('is the sentence that it ended on, without the stack, once for all the starts that say the same', () => {
    const sentence = 'Failed to start gRPC listener: listen tcp 127.0.0.1:12300: bind: address already in use';
    expect(whyOf([fatal(12_300)])).toBe(`one start: ${sentence}`);
    expect(whyOf([fatal(11_111), fatal(22_222), fatal(12_300)])).toBe(`3 starts: ${sentence}`);
  });

  it('is the first complaint as well, where that was another, for each of the last starts', () => {
    const slow =
      '{"level":"error","msg":"Operation failed","error":"no usable database connection found"}\npanic: gave up\n\ngoroutine 1 [running]:\nmain.main()\n\t/go/main.go:30\n';
    const ours =
      '{"level":50,"err":{"type":"Error","message":"connect ECONNREFUSED","stack":"Error: connect\\n    at Socket"},"msg":"The store does not answer"}\n';
    expect(whyOf([fatal(1), fatal(2), slow, ours, 'Killed\n'])).toBe(
      [
        '5 starts, the last of them:',
        '3: Operation failed: no usable database connection found, then panic: gave up',
        '4: The store does not answer: connect ECONNREFUSED',
        '5: Killed',
      ].join('\n'),
    );
  });

  it('is said of one that said nothing, and of one that never began', () => {
    expect(whyOf([''])).toBe('one start: it said nothing');
    expect(whyOf([])).toBe('it was never started');
  });
});

it.each([
  ['Temporal', fatal(1), true],
  ['PostgreSQL', 'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n', true],
  ['ours', 'port_in_use: Port 8700, wanted for the API, is in use: stop the program that listens there\n', true],
  ['another reason', 'FATAL:  password authentication failed for user "temporal"\n', false],
])('whether a port was lost is read from the words of %s', (_, said, lost) => {
  expect(lostPort(said)).toBe(lost);
});
