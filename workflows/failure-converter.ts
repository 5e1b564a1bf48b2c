/**
 * How this worker writes failures: where payloads are encrypted, messages and stacks go into one, instead of beside it in clear.
 * Loaded by the workflow sandbox and by the worker; must not import anything but the payload converter.
 */
import { DefaultFailureConverter, type FailureConverter } from '@temporalio/common';
import { holdsSecrets } from './payload-converter';

const readable = new DefaultFailureConverter();
const encoded = new DefaultFailureConverter({ encodeCommonAttributes: true });

/** In the sandbox, what is secret came in encrypted: before that there is nothing in a failure to keep from anyone. */
const fitting = (): FailureConverter => (holdsSecrets() ? encoded : readable);

export const failureConverter: FailureConverter = {
  errorToFailure: (error, payloadConverter, context) => fitting().errorToFailure(error, payloadConverter, context),
  failureToError: (failure, payloadConverter, context) => readable.failureToError(failure, payloadConverter, context),
};
