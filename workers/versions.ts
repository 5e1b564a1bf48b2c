/**
 * Worker versioning, as an operator sees it: which build of a deployment is current, and what to type to make one so.
 * With versioning on, a queue without a current version gives no work to anyone: that is said, and counts as not ready.
 */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import type { Deployment } from './worker';

const NOT_FOUND = 5;

/** Null when no build is current, or nobody has heard of the deployment yet. */
export async function currentBuild(client: Client, deploymentName: string): Promise<string | null> {
  try {
    const { workerDeploymentInfo } = await client.connection.workflowService.describeWorkerDeployment({ namespace: client.options.namespace, deploymentName });
    return workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId ?? null;
  } catch (error) {
    if (isGrpcServiceError(error) && Number(error.code) === NOT_FOUND) return null;
    throw error;
  }
}

export const sayHowToSetCurrent = ({ name, buildId }: Deployment): string =>
  `no version of the deployment ${name} is current, so nobody gets work: make one current with ` +
  `temporal worker deployment set-current-version --deployment-name ${name} --build-id ${buildId}`;
