/**
 * The plain approval's worker, as a program: pooled SMTP, a pool of PostgreSQL connections, keep-alive to the agents, the SDK's defaults.
 */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createTransport } from 'nodemailer';
import { Pool } from 'pg';
import { Webhook } from 'standardwebhooks';
import { PLAIN_QUEUE, type PlainActivities } from './protocol';

const setting = (name: string): string => process.env[name] ?? '';

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const mail = createTransport({ url: setting('SMTP_URL'), pool: true });
  const pool = new Pool({ connectionString: setting('DATABASE_URL'), max: 10 });
  const webhook = new Webhook(setting('CALLBACK_SECRET'));
  const activities: PlainActivities = {
    async notify({ id, summary, approver }) {
      await mail.sendMail({
        from: 'Approvals <approvals@example.com>',
        to: approver,
        subject: `Please decide: ${summary}`,
        text: `${summary}\n\nDecide at http://localhost:8700/approvals/${id}\n`,
        html: `<p>${summary}</p><p><a href="http://localhost:8700/approvals/${id}">Decide</a></p>`,
      });
    },
    async audit({ id, outcome, by, reason }) {
      await pool.query('insert into bench_audit (id, outcome, decided_by, reason, at) values ($1, $2, $3, $4, now()) on conflict (id) do nothing', [
        id,
        outcome,
        by,
        reason,
      ]);
    },
    async callback({ url, outcome }) {
      const body = JSON.stringify({ type: 'approval.ended', timestamp: new Date().toISOString(), data: outcome });
      const at = new Date();
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': outcome.id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
          'webhook-signature': webhook.sign(outcome.id, at, body),
        },
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`The agent answered ${String(response.status)}`);
    },
  };
  const connection = await NativeConnection.connect({ address: setting('TEMPORAL_ADDRESS') });
  const worker = await Worker.create({ connection, taskQueue: PLAIN_QUEUE, activities, workflowsPath: require.resolve('./workflow') });
  process.send?.({ ready: true });
  await worker.run();
  mail.close();
  await pool.end();
  await connection.close();
  process.exit(0);
}

void main();
