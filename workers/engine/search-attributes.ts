/**
 * The search attributes that an operator filters approvals by: their names and types, how they are registered, and the check at start.
 * Values are opaque (ids, lanes, states), never personal: a codec does not encrypt them.
 */
import { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type { EngineAccess } from '../../activities/connect';
import { explainRefusal, explainUnreachable } from '../../activities/diagnose';
import { EngineError, sayCause } from './errors';

export type AttributeType = 'Keyword' | 'KeywordList' | 'Datetime';

export const SEARCH_ATTRIBUTES = {
  ApprovalState: 'Keyword',
  ApprovalLevel: 'Keyword',
  ApprovalTenant: 'Keyword',
  ApprovalLane: 'KeywordList',
  ApprovalOwner: 'KeywordList',
  ApprovalDue: 'Datetime',
} as const satisfies Record<string, AttributeType>;

const WIRE: Record<AttributeType, temporal.api.enums.v1.IndexedValueType> = {
  Keyword: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  KeywordList: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
  Datetime: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
};

/** How to reach a server: TLS and API key, as `engineAccess` reads them from the settings. */
export type Access = Omit<EngineAccess, 'address'>;

/** A server of our own, on this machine. */
export const OPEN: Access = { tls: false };

interface AttributeFindings {
  readonly missing: readonly string[];
  /** Registered under our name with another type. */
  readonly mistyped: readonly string[];
}

async function connected<T>(address: string, namespace: string, access: Access, use: (connection: Connection) => Promise<T>): Promise<T> {
  const reach = { ...access, address };
  const refused = (cause: unknown): EngineError | null => {
    const why = explainRefusal(reach, namespace, cause);
    return why === null ? null : new EngineError('engine_refused', why, { cause });
  };
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...reach, connectTimeout: '5s' });
  } catch (cause) {
    throw refused(cause) ?? new EngineError('engine_unreachable', await explainUnreachable(reach), { cause });
  }
  try {
    return await use(connection);
  } catch (error) {
    throw (error instanceof EngineError ? null : refused(error)) ?? error;
  } finally {
    await connection.close();
  }
}

async function find(connection: Connection, namespace: string): Promise<AttributeFindings> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing: string[] = [];
  const mistyped: string[] = [];
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES)) {
    const found = customAttributes[name];
    if (found === undefined) missing.push(name);
    else if (found !== WIRE[type]) mistyped.push(name);
  }
  return { missing, mistyped };
}

/** What to type, where only the cluster's operator may add them. Temporal Cloud has a program of its own for it. */
function howToAdd(namespace: string, names: readonly string[]): string {
  const typed = Object.entries(SEARCH_ATTRIBUTES).filter(([name]) => names.includes(name));
  const options = typed.map(([name, type]) => `--name ${name} --type ${type}`).join(' ');
  const pairs = typed.map(([name, type]) => `--sa "${name}=${type}"`).join(' ');
  return `"temporal operator search-attribute create --namespace ${namespace} ${options}", or on Temporal Cloud "tcld namespace search-attributes add --namespace ${namespace} ${pairs}"`;
}

const refuseMistyped = (namespace: string, names: readonly string[]): never => {
  throw new EngineError(
    'search_attributes_missing',
    `Namespace ${namespace} has the search attributes ${names.join(', ')} with another type than Countersign's: use another namespace (TEMPORAL_NAMESPACE), or remove them there.`,
  );
};

/** Adds what is missing. Safe to repeat, and for two programs to do at once. */
export async function registerSearchAttributes(address: string, namespace: string, access: Access = OPEN): Promise<void> {
  await connected(address, namespace, access, async (connection) => {
    const before = await find(connection, namespace);
    if (before.mistyped.length > 0) refuseMistyped(namespace, before.mistyped);
    if (before.missing.length === 0) return;
    const wanted = Object.entries(SEARCH_ATTRIBUTES).filter(([name]) => before.missing.includes(name));
    try {
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(wanted.map(([name, type]) => [name, WIRE[type]])),
      });
    } catch (cause) {
      // Another program may have added them in between: what counts is that they are there.
      const after = await find(connection, namespace).catch(() => before);
      if (after.missing.length === 0 && after.mistyped.length === 0) return;
      throw new EngineError(
        'search_attributes_failed',
        `The search attributes ${after.missing.join(', ')} could not be registered in namespace ${namespace} at ${address} (${sayCause(cause)}): ` +
          `add them with ${howToAdd(namespace, after.missing)}, then start again.`,
        { cause },
      );
    }
  });
}

/** Refuses with one sentence unless every attribute is there with its type. Called by the worker before it polls. */
export async function checkSearchAttributes(address: string, namespace: string, access: Access = OPEN): Promise<void> {
  await connected(address, namespace, access, async (connection) => {
    const { missing, mistyped } = await find(connection, namespace);
    if (mistyped.length > 0) refuseMistyped(namespace, mistyped);
    if (missing.length > 0) {
      throw new EngineError(
        'search_attributes_missing',
        `Namespace ${namespace} at ${address} lacks the search attributes ${missing.join(', ')}: add them with ${howToAdd(namespace, missing)}, then start again.`,
      );
    }
  });
}
