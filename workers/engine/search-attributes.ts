/**
 * The search attributes that an operator filters approvals by: their names and types, how they are registered, and the check at start.
 * Values are opaque (ids, lanes, states), never personal: a codec does not encrypt them.
 */
import { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
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

/** How to reach a server that is not our own. */
export interface Access {
  readonly tls: boolean;
  readonly apiKey: string | null;
}

/** A server of our own, on this machine. */
export const OPEN: Access = { tls: false, apiKey: null };

/** TEMPORAL_TLS and TEMPORAL_API_KEY; a key implies TLS. */
export function accessFrom(env: NodeJS.ProcessEnv): Access {
  const apiKey = env['TEMPORAL_API_KEY'] || null;
  const tls = env['TEMPORAL_TLS'] || String(apiKey !== null);
  return { tls: tls === 'true' || tls === '1', apiKey };
}

interface AttributeFindings {
  readonly missing: readonly string[];
  /** Registered under our name with another type. */
  readonly mistyped: readonly string[];
}

async function connected<T>(address: string, access: Access, use: (connection: Connection) => Promise<T>): Promise<T> {
  let connection: Connection;
  try {
    connection = await Connection.connect({ address, connectTimeout: '5s', tls: access.tls, ...(access.apiKey === null ? {} : { apiKey: access.apiKey }) });
  } catch (cause) {
    throw new EngineError('engine_unreachable', `No Temporal server answers at ${address}: start one there, or set TEMPORAL_ADDRESS to where one runs.`, {
      cause,
    });
  }
  try {
    return await use(connection);
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

const refuseMistyped = (namespace: string, names: readonly string[]): never => {
  throw new EngineError(
    'search_attributes_missing',
    `Namespace ${namespace} has the search attributes ${names.join(', ')} with another type than Countersign's: use another namespace (TEMPORAL_NAMESPACE), or remove them there.`,
  );
};

/** Adds what is missing. Safe to repeat, and for two programs to do at once. */
export async function registerSearchAttributes(address: string, namespace: string, access: Access = OPEN): Promise<void> {
  await connected(address, access, async (connection) => {
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
          `register them with "temporal operator search-attribute create", or use an account that may.`,
        { cause },
      );
    }
  });
}

/** Refuses with one sentence unless every attribute is there with its type. Called by the worker before it polls. */
export async function checkSearchAttributes(address: string, namespace: string, access: Access = OPEN): Promise<void> {
  await connected(address, access, async (connection) => {
    const { missing, mistyped } = await find(connection, namespace);
    if (mistyped.length > 0) refuseMistyped(namespace, mistyped);
    if (missing.length > 0) {
      throw new EngineError(
        'search_attributes_missing',
        `Namespace ${namespace} at ${address} lacks the search attributes ${missing.join(', ')}: register them with "temporal operator search-attribute create", then start again.`,
      );
    }
  });
}
