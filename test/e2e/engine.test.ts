/** The engines themselves: what is started serves, keeps, is stopped, and refuses in one sentence. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { checkSearchAttributes, registerSearchAttributes, SEARCH_ATTRIBUTES, startEngine, startTimeSkipping } from '../../workers/engine';
import { findTimeSkipping } from '../../workers/engine/time-skipping';
import type { month } from '../support/workflows/month';
import { engineAddress } from '../support/engine';
import { holdPort } from '../support/ports';
import { isRunning, runTs, until } from '../support/program';

/** As on a machine where nobody named a server. */
const env: NodeJS.ProcessEnv = { ...process.env, TEMPORAL_ADDRESS: '' };

async function withConnection<T>(address: string, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

describe('the development server', () => {
  it('keeps its runs in the database file, and is gone after stop', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-engine-'));
    try {
      const first = await startEngine({ env, dbFile: join(dir, 'temporal.db') });
      await withConnection(first.address, (connection) => new Client({ connection }).workflow.start('month', { workflowId: 'kept', taskQueue: 'nobody' }));
      await first.stop();
      expect(isRunning(first.pid ?? 0)).toBe(false);
      const second = await startEngine({ env, dbFile: join(dir, 'temporal.db') });
      try {
        const { status } = await withConnection(second.address, (connection) => new Client({ connection }).workflow.getHandle('kept').describe());
        expect(status.name).toBe('RUNNING');
      } finally {
        await second.stop();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('ends when the process that started it is killed', async () => {
    const holder = runTs('test/support/programs/hold-engine.ts', [], env);
    const pid = Number((await holder.says(/engine (\d+)/))[1]);
    expect(isRunning(pid)).toBe(true);
    holder.kill('SIGKILL');
    await until(() => !isRunning(pid));
    expect(isRunning(pid)).toBe(false);
  });

  it('a port in use: one sentence with the port and the setting, for the server and for its UI', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await expect(startEngine({ env, port })).rejects.toMatchObject({
        code: 'port_in_use',
        message: `Port ${port}, wanted for the Temporal server, is in use: stop the program that listens there, or set COUNTERSIGN_TEMPORAL_PORT to a free port.`,
      });
      await expect(startEngine({ env, uiPort: port })).rejects.toMatchObject({
        code: 'port_in_use',
        message: expect.stringContaining('COUNTERSIGN_TEMPORAL_UI_PORT') as string,
      });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('a server that was named but does not answer: one sentence with its address', async () => {
    const address = `127.0.0.1:${await holdPort()}`;
    await expect(startEngine({ env: { ...env, TEMPORAL_ADDRESS: address } })).rejects.toMatchObject({
      code: 'engine_unreachable',
      message: `No Temporal server answers at ${address}: start one there, or set TEMPORAL_ADDRESS to where one runs.`,
    });
  });

  it('a server that was named is used as it is, and not stopped', async () => {
    const engine = await startEngine({ env: { ...env, TEMPORAL_ADDRESS: engineAddress() } });
    expect(engine).toMatchObject({ address: engineAddress(), pid: null, origin: 'given' });
    await engine.stop();
    await expect(checkSearchAttributes(engineAddress(), 'default')).resolves.toBeUndefined();
  });
});

describe('search attributes', () => {
  const day = { seconds: 24 * 3600 } as const;
  /** A namespace as an operator makes one. It takes the server some seconds to see it everywhere. */
  async function namespace(name: string): Promise<void> {
    await withConnection(engineAddress(), async (connection) => {
      await connection.workflowService.registerNamespace({
        namespace: name,
        workflowExecutionRetentionPeriod: { seconds: day.seconds as unknown as Long, nanos: 0 },
      });
      await until(() =>
        connection.operatorService.listSearchAttributes({ namespace: name }).then(
          () => true,
          () => false,
        ),
      );
    });
  }

  it('a namespace without them is refused by name, and served once they are registered, even by two at once', async () => {
    const name = `bare-${process.pid}`;
    await namespace(name);
    await expect(checkSearchAttributes(engineAddress(), name)).rejects.toMatchObject({
      code: 'search_attributes_missing',
      message: expect.stringContaining(`lacks the search attributes ${Object.keys(SEARCH_ATTRIBUTES).join(', ')}:`) as string,
    });
    await Promise.all([registerSearchAttributes(engineAddress(), name), registerSearchAttributes(engineAddress(), name)]);
    await registerSearchAttributes(engineAddress(), name);
    await until(() =>
      checkSearchAttributes(engineAddress(), name).then(
        () => true,
        () => false,
      ),
    );
    await expect(checkSearchAttributes(engineAddress(), name)).resolves.toBeUndefined();
  });

  it('one that is there with another type is named, and nothing is registered beside it', async () => {
    const name = `mistyped-${process.pid}`;
    await namespace(name);
    await withConnection(engineAddress(), (connection) =>
      connection.operatorService.addSearchAttributes({ namespace: name, searchAttributes: { ApprovalDue: 2 } }),
    );
    await until(() => checkSearchAttributes(engineAddress(), name).catch((error: Error) => error.message.includes('another type')) as Promise<boolean>);
    await expect(registerSearchAttributes(engineAddress(), name)).rejects.toMatchObject({
      code: 'search_attributes_missing',
      message: expect.stringContaining('ApprovalDue with another type') as string,
    });
  });
});

describe('the time-skipping server', () => {
  it('lets thirty timers of a day pass while nobody waits', async () => {
    const environment = await startTimeSkipping();
    try {
      const before = await environment.currentTimeMs();
      const worker = await Worker.create({
        connection: environment.nativeConnection,
        taskQueue: 'month',
        workflowsPath: require.resolve('../support/workflows/month'),
      });
      const took = await worker.runUntil(environment.client.workflow.execute<typeof month>('month', { workflowId: 'month', taskQueue: 'month' }));
      expect(took).toBeGreaterThanOrEqual(30 * 24 * 3600_000);
      expect((await environment.currentTimeMs()) - before).toBeGreaterThanOrEqual(30 * 24 * 3600_000);
    } finally {
      await environment.teardown();
    }
  });

  it('that starts slowly, as Java does on a busy machine, is started again instead of given up', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'countersign-slow-'));
    const [path, once] = [join(dir, 'test-server'), join(dir, 'once')];
    // Longer than anybody waits, the first time.
    const program = `#!/bin/sh\nif [ ! -e ${once} ]; then touch ${once}; exec sleep 3600; fi\nexec ${await findTimeSkipping()} "$@"\n`;
    writeFileSync(path, program, { mode: 0o755 });
    try {
      const environment = await startTimeSkipping({ path });
      expect(await environment.currentTimeMs()).toBeGreaterThan(0);
      await environment.teardown();
      expect(existsSync(once)).toBe(true);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
