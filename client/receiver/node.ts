/**
 * A receiver as a handler for `node:http` (and any framework that hands out its request and response).
 * Reads the body itself, raw and bounded: a parser before it would change the signed bytes.
 * Must not import activities or workers.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import { ReceiverError, refused, type Answer } from './errors';
import type { Headers } from './signature';

const BODY_MAX = 512 * 1024;

export function nodeHandler(
  receiver: { handle(rawBody: Uint8Array, headers: Headers): Promise<Answer> },
  { maxBytes = BODY_MAX }: { readonly maxBytes?: number } = {},
): RequestListener {
  return (request, response) => {
    const answer = async (): Promise<Answer> => {
      if (request.method !== 'POST') return refused(new ReceiverError('method_refused', 'Callbacks are sent with POST.'));
      try {
        return await receiver.handle(await read(request, maxBytes), request.headers);
      } catch (error) {
        return refused(error);
      }
    };
    void answer().then(({ status, body }) => {
      // What was not read is not wanted: the connection ends with the answer.
      if (!request.complete) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  };
}

/** Not by iteration: leaving one early would destroy the connection before the answer. */
function read(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= maxBytes) parts.push(part);
      else {
        request.pause();
        reject(new ReceiverError('too_large', `The body is larger than ${maxBytes} bytes.`));
      }
    });
    request.on('end', () => resolve(Buffer.concat(parts)));
    request.on('error', reject);
  });
}
