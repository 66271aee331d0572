import { workflowInfo } from '@temporalio/workflow';

/**
 * Long-lived workflows move on to new code: a pinned one whose workers are gone would stand still for ever, in silence.
 * A worker without versioning may not name a behaviour: the server would refuse its tasks.
 */
export function versioning(): { readonly versioningBehavior?: 'AUTO_UPGRADE' } {
  return !workflowInfo().currentDeploymentVersion?.deploymentName ? {} : { versioningBehavior: 'AUTO_UPGRADE' };
}
