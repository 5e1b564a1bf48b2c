/**
 * In place of an engine: what the API hands over is committed at once, and time stands still. For what is about the record and not about
 * how it is driven.
 */
import type { Core } from '../../activities/core';
import type { Gateway } from '../../client/api/gateway';

export const commitsAtOnce = ({ commit }: Core): Gateway => {
  const make = (tenant: string, approvalId: string, command: Parameters<typeof commit>[0]['command']) =>
    commit({ tenant, approvalId, seq: 0, command, workflowTime: Date.now() });
  return {
    async startApproval({ tenant, approvalId }) {
      await make(tenant, approvalId, { type: 'open' });
    },
    async sendCommand(tenant, approvalId, commandId) {
      const { answer } = await make(tenant, approvalId, { type: 'command', commandId });
      if (!answer) throw new Error(`The command ${commandId} got no answer`);
      return answer;
    },
    async signalWithdraw(tenant, approvalId, message) {
      await make(tenant, approvalId, { type: 'withdraw', ...message });
    },
    nudge: () => Promise.resolve(),
    startDelivery: () => Promise.resolve(),
    ready: () => Promise.resolve(true),
  };
};
