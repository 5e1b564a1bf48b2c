/**
 * The API's side of the engine: starts approval workflows, hands over a command's id, passes a withdrawal on.
 * Temporal carries ids and nothing else. Failures come as {@link GatewayError} with a closed set of codes;
 * whether the move counted is never learned from them, only from the record (./moves.ts).
 */
import { isGrpcServiceError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { nudge, startApproval, startDelivery, type StartApproval, type StartDelivery } from '../../activities/engine';
import {
  approvalWorkflowId,
  COMMAND_UPDATE,
  deliveryWorkflowId,
  WITHDRAW_SIGNAL,
  type CommandAnswer,
  type CommandMessage,
  type WithdrawMessage,
} from '../../workflows/protocol';

export type GatewayErrorCode = 'no_workflow' | 'paused' | 'unavailable';

export class GatewayError extends Error {
  constructor(
    readonly code: GatewayErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'GatewayError';
  }
}

export interface Gateway {
  /** Idempotent: one that runs already counts as started. */
  startApproval(start: StartApproval, timeoutMs: number): Promise<void>;
  sendCommand(tenant: string, approvalId: string, commandId: string, timeoutMs: number): Promise<CommandAnswer>;
  signalWithdraw(tenant: string, approvalId: string, message: WithdrawMessage, timeoutMs: number): Promise<void>;
  /** Makes an open approval look at the record again. */
  nudge(tenant: string, approvalId: string, timeoutMs: number): Promise<void>;
  /** Idempotent: a delivery that is under way already counts as started. */
  startDelivery(start: StartDelivery, timeoutMs: number): Promise<void>;
  /** Whether the engine answers at all. */
  ready(timeoutMs: number): Promise<boolean>;
}

export interface GatewayOptions {
  readonly taskQueue: string;
  readonly timeScale: number;
}

const FAILED_PRECONDITION = 9;

/** As it comes, or as the cause of what the SDK makes of a failed update. */
const isPrecondition = (error: unknown): boolean => isGrpcServiceError(error) && Number(error.code) === FAILED_PRECONDITION;

function toGatewayError(error: unknown, workflowId: string): GatewayError {
  if (error instanceof WorkflowNotFoundError) return new GatewayError('no_workflow', `No run of ${workflowId} is open`, { cause: error });
  if (isPrecondition(error) || (error instanceof Error && isPrecondition(error.cause))) {
    return new GatewayError('paused', `The workflow ${workflowId} is paused; unpause it in Temporal and the move goes through`, { cause: error });
  }
  return new GatewayError('unavailable', `The engine did not answer for ${workflowId}`, { cause: error });
}

export function createGateway(client: Client, options: GatewayOptions): Gateway {
  const within = <T>(timeoutMs: number, work: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + timeoutMs, work);
  const told = async <T>(workflowId: string, timeoutMs: number, work: () => Promise<T>): Promise<T> => {
    try {
      return await within(timeoutMs, work);
    } catch (error) {
      throw toGatewayError(error, workflowId);
    }
  };
  return {
    async startApproval(start, timeoutMs) {
      await told(approvalWorkflowId(start.tenant, start.approvalId), timeoutMs, () => startApproval(client, options, start));
    },
    sendCommand(tenant, approvalId, commandId, timeoutMs) {
      const workflowId = approvalWorkflowId(tenant, approvalId);
      return told(workflowId, timeoutMs, () =>
        client.workflow.getHandle(workflowId).executeUpdate<CommandAnswer, [CommandMessage]>(COMMAND_UPDATE, { args: [{ commandId }], updateId: commandId }),
      );
    },
    async signalWithdraw(tenant, approvalId, message, timeoutMs) {
      const workflowId = approvalWorkflowId(tenant, approvalId);
      await told(workflowId, timeoutMs, () => client.workflow.getHandle(workflowId).signal<[WithdrawMessage]>(WITHDRAW_SIGNAL, message));
    },
    async nudge(tenant, approvalId, timeoutMs) {
      await told(approvalWorkflowId(tenant, approvalId), timeoutMs, () => nudge(client, tenant, approvalId));
    },
    async startDelivery(start, timeoutMs) {
      await told(deliveryWorkflowId(start.tenant, start.approvalId, start.owedId), timeoutMs, () => startDelivery(client, options, start));
    },
    async ready(timeoutMs) {
      try {
        await within(timeoutMs, () => client.connection.workflowService.getSystemInfo({}));
        return true;
      } catch {
        return false;
      }
    },
  };
}
