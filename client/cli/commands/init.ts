/**
 * `countersign init`: what an installation by docker-compose.yml needs and must not share with any other: passwords, signing keys,
 * payload keys. Promises that nothing that is there is changed: losing a key loses what it signed or encrypted.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { newPayloadKeys, payloadKeysToJson } from '../../../activities/codec/keys';
import { generateKeys, keysToJson } from '../../../record/keys';
import { answer, CliError, EXIT, type Shared, type World } from '../io';

const PASSWORD_BYTES = 24;
const CATCHER = 'smtp://mail:8725';

interface InitOptions extends Shared {
  readonly publicUrl: string;
  readonly smtpUrl?: string;
  readonly mailFrom?: string;
  readonly try?: boolean;
}

export function initCommand(program: Command, world: World): void {
  program
    .command('init [dir]')
    .description('make .env and secrets/ for docker-compose.yml, in this directory unless another is given')
    .requiredOption('--public-url <url>', 'where people and agents reach the API')
    .option('--smtp-url <url>', 'how mail is sent; the mail catcher unless given')
    .option('--mail-from <address>', 'who mails come from; approvals@ and the host of the public URL unless given')
    .option('--try', 'for trying it out: anyone may sign in as anyone')
    .action((dir: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<InitOptions>();
      const made = initialise(resolve(dir ?? '.'), options);
      answer(world, options, { made }, () =>
        [...made.map((path) => `made ${path}`), 'Keep a copy of secrets/ where you keep backups: without the keys, tokens and histories cannot be read.'].join(
          '\n',
        ),
      );
    });
}

function initialise(dir: string, options: InitOptions): string[] {
  const { host, protocol } = urlOf(options.publicUrl);
  if (!/^https?:$/.test(protocol)) throw new CliError(EXIT.usage, 'bad_url', `${options.publicUrl} is not a URL of the form https://host`);
  const env = join(dir, '.env');
  const secrets = join(dir, 'secrets');
  for (const path of [env, secrets])
    if (existsSync(path)) throw new CliError(EXIT.refused, 'already_there', `${path} is there already and nothing was changed; remove it to begin anew`);
  const files = [
    { path: join(secrets, 'signing-keys.json'), text: `${JSON.stringify(keysToJson(generateKeys()), null, 2)}\n` },
    { path: join(secrets, 'payload-keys.json'), text: `${JSON.stringify(payloadKeysToJson(newPayloadKeys()), null, 2)}\n` },
  ];
  try {
    // Nobody but the owner passes the directory; the files themselves are read by another user, in the containers.
    mkdirSync(secrets, { recursive: true, mode: 0o700 });
    for (const { path, text } of files) {
      writeFileSync(path, text, { flag: 'wx', mode: 0o444 });
      chmodSync(path, 0o444);
    }
    writeFileSync(env, envText(host, options), { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(EXIT.unreachable, 'file_unwritable', `${dir} cannot be written (${why}); check the path and its permissions`, { cause });
  }
  return [...files.map((file) => file.path), env];
}

function urlOf(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new CliError(EXIT.usage, 'bad_url', `${text} is not a URL of the form https://host`, { cause });
  }
}

function envText(host: string, { publicUrl, smtpUrl, mailFrom, try: trying }: InitOptions): string {
  // Letters and digits only: a password stands in URLs.
  const password = (): string => randomBytes(PASSWORD_BYTES).toString('hex');
  const lines = [
    '# Secret. Read by docker-compose.yml; what each setting means is said there and in docs/compose.md.',
    `COUNTERSIGN_PUBLIC_URL=${quoted(publicUrl)}`,
    `COUNTERSIGN_MAIL_FROM=${quoted(mailFrom ?? `Countersign <approvals@${host.replace(/:\d+$/, '')}>`)}`,
    `STORE_OWNER_PASSWORD=${password()}`,
    `STORE_APP_PASSWORD=${password()}`,
    `TEMPORAL_DB_PASSWORD=${password()}`,
    ...(smtpUrl === undefined
      ? [
          '# The mail catcher: nobody gets a mail. With a server of your own, name it here and remove COMPOSE_PROFILES.',
          `SMTP_URL=${CATCHER}`,
          'COMPOSE_PROFILES=mail',
        ]
      : [`SMTP_URL=${quoted(smtpUrl)}`]),
    ...(trying ? ['# For trying it out alone: anyone may sign in as anyone.', 'COUNTERSIGN_ENV=development', 'COUNTERSIGN_ALLOW_LOOPBACK=true'] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** As Compose reads it: nothing inside is special. */
function quoted(value: string): string {
  if (/['\n\r\\]/.test(value)) throw new CliError(EXIT.usage, 'bad_value', 'A setting may hold no quotation mark, backslash or line break; leave those out');
  return `'${value}'`;
}
